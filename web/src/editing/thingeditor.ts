/** Things as they are being edited: which are gone, what others are called, and those that were added. */

import { type Affine, apply, type Vec3 } from "../imaging/affine";
import { type Item, itemAt, type Layer, layersOf } from "../imaging/layer";
import type { Finding } from "../service/documents";
import { unusedColour } from "./palette";

export type ThingTool = "none" | "mark" | "remove" | "rename";

export interface Kind {
  readonly name: string;
  readonly colour: string;
}

/** All that was done; a value that is never changed, so that what was before is kept as it is. */
export interface Edits {
  /** Ids of findings that are there no more. */
  readonly gone: readonly number[];
  /** What findings are called now, by id. */
  readonly renamed: readonly (readonly [number, string])[];
  readonly added: readonly Added[];
  readonly kinds: readonly Kind[];
}

/** A point or the corners of a box, in the world. */
export interface Added {
  readonly id: number;
  readonly kind: string;
  readonly point: Vec3 | null;
  readonly box: readonly [Vec3, Vec3] | null;
}

export class ThingEditor {
  /** Name of what is added. */
  active: string;
  tool: ThingTool = "mark";
  #now: Edits;
  #layers: readonly Layer[] | undefined;
  readonly #first: Edits;
  readonly #past: Edits[] = [];
  #future: Edits[] = [];
  #listeners: (() => void)[] = [];

  constructor(
    readonly findings: readonly Finding[],
    readonly affine: Affine,
    readonly inverse: Affine,
    declared: readonly Kind[],
    draft?: Edits,
  ) {
    const found = findings.map(({ category: { name, colour } }): Kind => ({ name, colour }));
    const kinds = [...new Map([...declared, ...found].map((kind) => [kind.name, kind])).values()];
    this.#first = { gone: [], renamed: [], added: [], kinds };
    this.#now = draft ?? this.#first;
    this.active = found[0]?.name ?? kinds[0]?.name ?? "";
  }

  listen(listener: () => void): void {
    this.#listeners.push(listener);
  }

  get edits(): Edits {
    return this.#now;
  }

  get edited(): boolean {
    const { gone, renamed, added } = this.#now;
    return gone.length + renamed.length + added.length > 0;
  }

  get canUndo(): boolean {
    return this.#past.length > 0;
  }

  get canRedo(): boolean {
    return this.#future.length > 0;
  }

  /** The things that there are now. */
  get things(): Finding[] {
    const { gone, added } = this.#now;
    const without = new Set(gone);
    const names = new Map(this.#now.renamed);
    const left = this.findings
      .filter(({ id }) => !without.has(id))
      .map((one) => (names.has(one.id) ? { ...one, category: this.#category(names.get(one.id)!) } : one));
    const more = added.map(({ id, kind, point, box }): Finding => {
      const category = this.#category(kind);
      return { id, category, point, box, score: null, measurements: {}, notes: [], contours: [] };
    });
    return [...left, ...more];
  }

  get layers(): readonly Layer[] {
    return (this.#layers ??= layersOf(this.things, this.inverse));
  }

  /** How many of a kind there are. */
  count(name: string): number {
    return this.layers.find((layer) => layer.name === name)?.findings.length ?? 0;
  }

  /** The smallest thing at an index; points count from `reach` indices on. */
  at(index: Vec3, reach: number): Item | undefined {
    const size = ({ low, high }: Item) => (high[1] - low[1]) * (high[2] - low[2]);
    const near = this.layers.flatMap((layer) => itemAt(layer, index, reach) ?? []);
    return near.sort((one, other) => size(one) - size(other))[0];
  }

  /** Add a point, or a box around the samples between two indices of one slice. */
  add(from: Vec3, to?: Vec3): void {
    if (!this.active) return;
    const ids = [0, ...this.findings.map(({ id }) => id), ...this.#now.added.map(({ id }) => id)];
    const world = (index: Vec3) => apply(this.affine, index);
    const [slice] = from;
    const box = to && ([world([slice - 0.5, from[1], from[2]]), world([slice + 0.5, to[1], to[2]])] as const);
    const one = { id: Math.max(...ids) + 1, kind: this.active, point: to ? null : world(from), box: box ?? null };
    this.#do({ ...this.#now, added: [...this.#now.added, one] });
  }

  remove(id: number): void {
    const { gone, renamed, added } = this.#now;
    if (added.some((one) => one.id === id)) this.#do({ ...this.#now, added: added.filter((one) => one.id !== id) });
    else if (!gone.includes(id)) {
      this.#do({ ...this.#now, gone: [...gone, id], renamed: renamed.filter(([other]) => other !== id) });
    }
  }

  /** Call a thing as what is added is called. */
  rename(id: number): void {
    const { renamed, added } = this.#now;
    const name = this.active;
    const own = this.findings.find((one) => one.id === id);
    if (!own) {
      if (added.find((one) => one.id === id)?.kind === name) return;
      this.#do({ ...this.#now, added: added.map((one) => (one.id === id ? { ...one, kind: name } : one)) });
      return;
    }
    const others = renamed.filter(([other]) => other !== id);
    const now = new Map(renamed).get(id) ?? own.category.name;
    if (now !== name) this.#do({ ...this.#now, renamed: name === own.category.name ? others : [...others, [id, name]] });
  }

  /** Add a kind of things and go on with it; one that is there already is taken. */
  addKind(given: string): void {
    const name = given.replace(/\s+/g, " ").trim().slice(0, 64);
    if (!name) return;
    this.active = name;
    const { kinds } = this.#now;
    if (kinds.some((kind) => kind.name === name)) return this.#tell();
    this.#do({ ...this.#now, kinds: [...kinds, { name, colour: unusedColour(kinds) }] });
  }

  undo(): void {
    this.#move(this.#past, this.#future);
  }

  redo(): void {
    this.#move(this.#future, this.#past);
  }

  #move(from: Edits[], to: Edits[]): void {
    const edits = from.pop();
    if (!edits) return;
    to.push(this.#now);
    this.#set(edits);
  }

  #do(edits: Edits): void {
    this.#past.push(this.#now);
    this.#future = [];
    this.#set(edits);
  }

  #set(edits: Edits): void {
    this.#now = edits;
    this.#layers = undefined;
    if (!edits.kinds.some(({ name }) => name === this.active)) this.active = edits.kinds[0]?.name ?? "";
    this.#tell();
  }

  #category(name: string): Finding["category"] {
    const known = this.findings.find(({ category }) => category.name === name)?.category;
    const kind = this.#now.kinds.find((one) => one.name === name);
    return known ?? { name, colour: kind?.colour ?? "#ffffff", laterality: null };
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

interface Feature {
  readonly properties: Readonly<Record<string, unknown>> & { readonly number?: number };
}

/** A result as GeoJSON, with what was edited: features of the service's own that stay are left as they are. */
export function edited(exported: { readonly features: readonly Feature[] }, editor: ThingEditor): object {
  const things = new Map(editor.things.map((one) => [one.id, one]));
  const renamed = new Set(editor.edits.renamed.map(([id]) => id));
  const left = exported.features.flatMap((feature) => {
    const { number } = feature.properties;
    const one = number === undefined ? undefined : things.get(number);
    if (!one) return [];
    if (!renamed.has(one.id)) return [feature];
    return [{ ...feature, properties: { ...feature.properties, ...told(one) } }];
  });
  const added = editor.edits.added.map(({ id, point, box }) => ({
    type: "Feature",
    geometry: null,
    properties: { number: id, ...told(things.get(id)!), shape: point ? "point" : "box", world: point ?? box },
  }));
  return { ...exported, features: [...left, ...added] };
}

/** What of a feature is about its kind, and that nobody has scored it. */
function told({ category: { name, colour, laterality, code = null } }: Finding): Record<string, unknown> {
  return { name, colour, laterality, code, score: null };
}
