/** What is edited: labels, structures, outlines as they are now, and what can be undone. */

import type { Layer } from "../imaging/layer";
import { type Ring, toRing } from "../imaging/outline";
import type { Vec3 } from "../imaging/affine";
import type { Header } from "../imaging/volume";
import type { Affine } from "../imaging/affine";
import type { Finding } from "../service/documents";
import { type Cut, holes, type Metric, metricOf, sweep, within } from "./brush";
import { type Deed, History, type Structure } from "./history";
import { between } from "./interpolation";
import { Labels, type Step } from "./labels";
import { unusedColour } from "./palette";
import { Tracer } from "./tracing";

export type Tool = "none" | "brush" | "eraser" | "add" | "cut";

export class Editor {
  readonly labels: Labels;
  readonly metric: Metric;
  structures: readonly Structure[];
  /** Label of the structure that is drawn. */
  active: number;
  tool: Tool = "brush";
  radius = 8;
  sphere = false;
  /** Whether other structures stay as they are where one is drawn over them. */
  sparing = false;
  /** Axis of the plane in which a stroke is under way. */
  stroke: number | undefined;
  /** Slices that differ from how they were at first, or did. */
  readonly touched = new Set<number>();
  readonly #history = new History();
  readonly #tracer: Tracer;
  readonly #rings = new Map<number, Map<number, readonly Ring[]>>();
  /** Slices in whose plane a structure was drawn, by label. */
  readonly #drawn = new Map<number, Set<number>>();
  #step: Step | undefined;
  #resumed = false;
  #listeners: (() => void)[] = [];

  private constructor(
    readonly header: Header,
    structures: readonly Structure[],
  ) {
    this.structures = structures;
    this.active = structures[0]?.id ?? 0;
    this.labels = new Labels(header.shape, Math.max(0, ...structures.map(({ id }) => id)));
    this.metric = metricOf(header.affine);
    this.#tracer = new Tracer(header.shape[1], header.shape[2]);
  }

  /** Take up a result; nothing where its structures overlap, so that no label map holds them. */
  static of(findings: readonly Finding[], header: Header, inverse: Affine): Editor | undefined {
    const structures = findings.map(({ id, category: { name, colour } }) => ({ id, name, colour }));
    const editor = new Editor(header, structures);
    for (const { id, contours } of findings) {
      const rings = contours.map((contour) => toRing(contour, inverse));
      if (!editor.labels.fill(rings, id)) return undefined;
      const own = new Map<number, Ring[]>();
      for (const ring of rings) own.set(ring.slice, [...(own.get(ring.slice) ?? []), ring]);
      editor.#rings.set(id, own);
    }
    return editor;
  }

  listen(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Whether there is anything to keep. */
  get edited(): boolean {
    return this.#resumed || this.#history.canUndo;
  }

  get canUndo(): boolean {
    return this.#history.canUndo;
  }

  get canRedo(): boolean {
    return this.#history.canRedo;
  }

  /** What is to be drawn. */
  get layers(): Layer[] {
    return this.structures.map(({ id, name, colour }) => ({
      ...{ name, colour, dash: [], laterality: null, findings: [], found: true, contours: 0 },
      ...{ rings: this.#ringsOf(id), points: [], boxes: [], items: [] },
    }));
  }

  /** Begin to draw with the active structure. */
  begin(erasing: boolean): void {
    this.#step = this.labels.begin(erasing ? 0 : this.active);
  }

  /** Move the brush from one index to another; `flat` is the axis of the plane that it is seen in. */
  brush(from: Vec3, to: Vec3, flat: number): void {
    this.stroke = flat;
    const brush = { radius: this.radius, flat: this.sphere ? undefined : flat };
    sweep(this.header.shape, this.metric, brush, from, to, this.#take);
  }

  /** Take what lies within a polygon of `(across, down)` indices. */
  lasso(cut: Cut, polygon: readonly (readonly [number, number])[], erasing: boolean): void {
    this.begin(erasing);
    within(this.header.shape, cut, polygon, this.#take);
    this.end(cut.axis === 0 ? cut.at : undefined);
  }

  fillHoles(cut: Cut): void {
    this.begin(false);
    holes(this.labels.data, this.header.shape, cut, this.active, this.#take);
    this.end(cut.axis === 0 ? cut.at : undefined);
  }

  /** Note what was drawn as one deed; `slice` is the one in whose plane that was. */
  end(slice?: number): void {
    const step = this.#step;
    this.#step = this.stroke = undefined;
    if (slice !== undefined && step?.runs.length) {
      const drawn = this.#drawn.get(this.active);
      if (drawn) drawn.add(slice);
      else this.#drawn.set(this.active, new Set([slice]));
    }
    if (step?.runs.length) this.#history.add({ steps: [step] });
    this.refresh();
  }

  /** The nearest slices below and above one that were drawn on, if something lies between them. */
  around(slice: number): readonly [number, number] | undefined {
    const drawn = [...(this.#drawn.get(this.active) ?? [])].filter((each) => this.#ringsOf(this.active).has(each));
    const low = Math.max(...drawn.filter((each) => each < slice));
    const high = Math.min(...drawn.filter((each) => each > slice));
    return Number.isFinite(low) && Number.isFinite(high) && !drawn.includes(slice) ? [low, high] : undefined;
  }

  /** Have the active structure go over from one slice to another; what it was in between is replaced. */
  interpolate([low, high]: readonly [number, number]): void {
    const { labels, active, metric } = this;
    const [rows, columns] = [this.header.shape[1], this.header.shape[2]];
    const spacing = [Math.sqrt(metric[1]![1]!), Math.sqrt(metric[2]![2]!)] as const;
    const inside = (slice: number) => Uint8Array.from(labels.slice(slice), (value) => Number(value === active));
    const shapes = between(inside(low), inside(high), rows, columns, spacing, high - low - 1);
    const [less, more] = [labels.begin(0), labels.begin(active)];
    shapes.forEach((shape, i) => {
      const start = (low + 1 + i) * labels.area;
      shape.forEach((is, offset) => {
        const old = labels.data[start + offset];
        if (!is && old === active) labels.set(less, start + offset);
        if (is && (old === 0 || !this.sparing)) labels.set(more, start + offset);
      });
    });
    this.#history.add({ steps: [less, more] });
    this.refresh();
  }

  undo(): void {
    const deed = this.#history.undo();
    for (const step of [...(deed?.steps ?? [])].reverse()) this.labels.undo(step);
    if (deed?.before) this.#setStructures(deed.before);
    this.refresh();
  }

  redo(): void {
    const deed = this.#history.redo();
    for (const step of deed?.steps ?? []) this.labels.redo(step);
    if (deed?.after) this.#setStructures(deed.after);
    this.refresh();
  }

  /** Add a structure and draw with it from now on; nothing where no label is left. */
  add(name: string): void {
    const id = Math.max(0, ...this.structures.map((one) => one.id)) + 1;
    if (id > this.labels.most) return;
    const colour = unusedColour(this.structures);
    this.#name([...this.structures, { id, name: this.#unused(name), colour }], []);
    this.active = id;
    this.#tell();
  }

  /** Call a structure otherwise, or have it in another colour. */
  change(id: number, change: Partial<Omit<Structure, "id">>): void {
    const old = this.structures.find((one) => one.id === id);
    const name = change.name?.replace(/\s+/g, " ").trim();
    if (!old || name === "") return this.#tell();
    const named = { ...old, ...change, name: name && name !== old.name ? this.#unused(name) : old.name };
    if (named.name === old.name && named.colour === old.colour) return this.#tell();
    this.#name(this.structures.map((one) => (one.id === id ? named : one)), []);
  }

  remove(id: number): void {
    const step = this.labels.begin(0);
    this.labels.data.forEach((value, offset) => {
      if (value === id) this.labels.set(step, offset);
    });
    this.#name(this.structures.filter((one) => one.id !== id), [step]);
    if (this.active === id) this.active = this.structures[0]?.id ?? 0;
    this.refresh();
  }

  /** Go on with what was kept of earlier edits. */
  resume(structures: readonly Structure[], slices: Iterable<readonly [number, ArrayLike<number>]>): void {
    for (const [index, samples] of slices) this.labels.replace(index, samples);
    this.#setStructures(structures);
    this.#resumed = true;
    this.refresh();
  }

  /** Draw the outlines anew that have changed, and tell. */
  refresh(): void {
    for (const [slice, stale] of this.labels.stale) {
      const plane = this.labels.slice(slice);
      for (const label of stale.labels) {
        const own = this.#ringsOf(label);
        const before = (own.get(slice) ?? []).map(({ rows }) => rows);
        const top = Math.min(stale.top, ...before.map(([first]) => Math.round(first + 0.5)));
        const bottom = Math.max(stale.bottom, ...before.map(([, last]) => Math.round(last - 0.5)));
        const rings = this.#tracer.trace(plane, label, slice, top, bottom);
        if (rings.length) own.set(slice, rings);
        else own.delete(slice);
      }
      this.touched.add(slice);
    }
    this.labels.stale.clear();
    this.#tell();
  }

  #take = (offset: number): void => {
    const old = this.labels.data[offset]!;
    const { value } = this.#step!;
    if (value === 0 ? old !== this.active : old !== 0 && this.sparing) return;
    this.labels.set(this.#step!, offset);
  };

  #name(structures: readonly Structure[], steps: Deed["steps"]): void {
    this.#history.add({ steps, before: this.structures, after: structures });
    this.#setStructures(structures);
    this.#tell();
  }

  #setStructures(structures: readonly Structure[]): void {
    this.structures = structures;
    if (!structures.some(({ id }) => id === this.active)) this.active = structures[0]?.id ?? 0;
  }

  /** A name that no structure has: with a number behind it, if need be. */
  #unused(name: string): string {
    const used = new Set(this.structures.map((one) => one.name));
    let [candidate, number] = [name, 2];
    while (used.has(candidate)) candidate = `${name} ${number++}`;
    return candidate;
  }

  #ringsOf(id: number): Map<number, readonly Ring[]> {
    let rings = this.#rings.get(id);
    if (!rings) this.#rings.set(id, (rings = new Map()));
    return rings;
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
