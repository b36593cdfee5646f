/** The list of what was found, and of what was not. */

import { countOn, type Item, type Layer, middleOf, summaryOf } from "../imaging/layer";
import type { Volume } from "../imaging/volume";
import { clampIndex } from "../imaging/volume";
import type { Vec3 } from "../imaging/affine";
import { fill, h, icon, ICONS } from "./dom";
import type { Store, ViewState } from "./store";
import { spoken, t } from "./texts";

const MANY = 20;
/** As the service notes what touches the border of the image. */
const CUT = "cut by the field of view";

interface Row {
  readonly row: HTMLElement;
  readonly toggle: HTMLInputElement;
  readonly layer: Layer;
  /** Which of several was gone to last. */
  readonly stepped: HTMLElement | undefined;
}

export class FindingList {
  readonly element: HTMLElement;
  readonly #rows = new Map<string, Row>();

  constructor(
    layers: readonly Layer[],
    readonly volume: Volume,
    readonly store: Store<ViewState>,
    /** Shows one of many. */
    readonly reveal: (item: Item) => void,
  ) {
    const found = layers.filter((layer) => layer.found);
    const missing = layers.filter((layer) => !layer.found);
    const list = h("ul", { class: "findings", "data-testid": "findings" });
    for (const layer of found) list.append(this.#row(layer));
    const absent = h("ul", { class: "findings missing" });
    for (const layer of missing) absent.append(missingRow(layer));
    this.element = h(
      "div",
      { class: "finding-list" },
      h(
        "div",
        { class: "list-head" },
        h("h2", {}, heading(found)),
        button(t("list.showAll"), "show-all", () => this.#hide([])),
        button(t("list.hideAll"), "hide-all", () => this.#hide(found.map(({ name }) => name))),
      ),
      found.length + missing.length > MANY && this.#filter(),
      found.length ? list : h("p", { class: "muted" }, t("list.nothing")),
      missing.length > 0 && h("h3", {}, t("list.missing")),
      missing.length > 0 && absent,
    );
    this.#found = found;
  }

  readonly #found: readonly Layer[];

  draw(): void {
    const { hidden, at, chosen } = this.store.value;
    for (const { row, toggle, layer, stepped } of this.#rows.values()) {
      const shown = !hidden.has(layer.name);
      const drawn = countOn(layer, at[0]);
      toggle.checked = shown;
      row.classList.toggle("hidden-layer", !shown);
      row.classList.toggle("on-slice", drawn > 0);
      row.dataset.drawn = String(shown ? drawn : 0);
      if (stepped) {
        const place = layer.items.findIndex(({ id }) => id === chosen);
        fill(stepped, place < 0 ? "" : t("list.step", { at: place + 1, count: layer.items.length }));
      }
    }
  }

  /** Mark the rows of what is under the cursor. */
  highlight(names: readonly string[]): void {
    for (const [name, { row }] of this.#rows) row.classList.toggle("hovered", names.includes(name));
  }

  solo(name: string): void {
    const others = this.#found.map((layer) => layer.name).filter((other) => other !== name);
    const { hidden } = this.store.value;
    const already = !hidden.has(name) && others.every((other) => hidden.has(other));
    this.#hide(already ? [] : others);
  }

  /** Hide all, or show all if all are hidden. */
  toggleAll(): void {
    const { hidden } = this.store.value;
    this.#hide(hidden.size < this.#found.length ? this.#found.map(({ name }) => name) : []);
  }

  /** To the next (1) or previous (-1) of a layer's items; without a name, of the layer last gone to. */
  step(by: number, name?: string): void {
    const { chosen, hidden } = this.store.value;
    const several = this.#found.filter((layer) => layer.items.length > 1);
    const layer =
      several.find((each) => each.name === name) ??
      several.find(({ items }) => items.some(({ id }) => id === chosen)) ??
      several.find((each) => !hidden.has(each.name));
    if (!layer) return;
    const { items } = layer;
    const last = items.findIndex(({ id }) => id === chosen);
    const next = last < 0 ? (by > 0 ? 0 : items.length - 1) : (last + by + items.length) % items.length;
    const seen = new Set(hidden);
    if (seen.delete(layer.name)) this.store.update({ hidden: seen });
    this.reveal(items[next]!);
  }

  #hide(names: readonly string[]): void {
    this.store.update({ hidden: new Set(names) });
  }

  #row(layer: Layer): HTMLElement {
    const { name } = layer;
    const { volume_ml, area_mm2, area_px, mean_hu, score, notes } = summaryOf(layer);
    const toggle = h("input", {
      type: "checkbox",
      checked: true,
      "aria-label": t("list.show", { name: spoken(name) }),
      on: { change: () => this.#toggle(name) },
    });
    const swatch = h("span", { class: "swatch" }, toggle);
    swatch.style.setProperty("--colour", layer.colour);
    const several = layer.findings.length > 1;
    const figures = [
      several && t("list.found", { n: layer.findings.length }),
      volume_ml ? amount(volume_ml, "ml") : undefined,
      volume_ml === undefined && area_mm2 ? amount(area_mm2, "mm²") : undefined,
      volume_ml === undefined && area_px ? amount(area_px, "px") : undefined,
      mean_hu !== undefined && this.volume.modality === "CT" && `${Math.round(mean_hu)} HU`,
      score !== undefined && t(several ? "list.meanScore" : "list.score", { score: score.toFixed(2) }),
    ].filter((text) => typeof text === "string");
    const stepped = layer.items.length > 1 && several ? h("output", { "data-testid": "stepped" }) : undefined;
    const stepper =
      stepped &&
      h(
        "span",
        { class: "stepper" },
        arrow("‹", t("list.previous", { name: spoken(name) }), () => this.step(-1, name)),
        stepped,
        arrow("›", t("list.next", { name: spoken(name) }), () => this.step(1, name)),
      );
    const row = h(
      "li",
      {
        "data-testid": "finding",
        "data-name": name,
        "data-contours": layer.contours,
        "data-findings": layer.findings.length,
        "data-drawn": 0,
      },
      swatch,
      h(
        "button",
        {
          type: "button",
          class: "go",
          title: t(stepper ? "list.goNext" : "list.goMiddle"),
          on: { click: () => (stepper ? this.step(1, name) : this.#go(layer)) },
        },
        h("span", { class: "name" }, spoken(name), chip(layer)),
        h("span", { class: "figures" }, figures.join(" · ")),
        ...notes.map(noteOf),
      ),
      stepper,
      h(
        "button",
        {
          type: "button",
          class: "quiet",
          "data-testid": "solo",
          title: t("list.soloTitle"),
          "aria-label": t("list.solo", { name: spoken(name) }),
          on: { click: () => this.solo(name) },
        },
        icon(...ICONS.solo),
      ),
    );
    this.#rows.set(name, { row, toggle, layer, stepped });
    return row;
  }

  #toggle(name: string): void {
    const hidden = new Set(this.store.value.hidden);
    if (!hidden.delete(name)) hidden.add(name);
    this.store.update({ hidden });
  }

  #go(layer: Layer): void {
    const middle = middleOf(layer);
    if (!middle) return;
    const hidden = new Set(this.store.value.hidden);
    hidden.delete(layer.name);
    const at = [0, 1, 2].map((axis) => clampIndex(this.volume, axis as 0 | 1 | 2, middle[axis]!));
    this.store.update({ at: at as unknown as Vec3, hidden });
  }

  #filter(): HTMLElement {
    const entry = h("input", {
      type: "search",
      placeholder: t("list.filter"),
      "aria-label": t("list.filterAbout"),
    });
    entry.addEventListener("input", () => {
      const wanted = entry.value.trim().toLowerCase();
      for (const [name, { row }] of this.#rows) row.hidden = !spoken(name).toLowerCase().includes(wanted);
    });
    return entry;
  }
}

/** Structures, or things where there are many of a kind. */
function heading(found: readonly Layer[]): string {
  const things = found.reduce((sum, layer) => sum + layer.findings.length, 0);
  if (things > found.length) return t("list.found", { n: things });
  return found.length === 1 ? t("list.structure") : t("list.structures", { n: found.length });
}

function missingRow(layer: Layer): HTMLElement {
  const notes = summaryOf(layer).notes;
  return h(
    "li",
    { "data-testid": "missing", "data-name": layer.name, "data-contours": 0 },
    h("span", { class: "swatch" }),
    h(
      "span",
      { class: "go" },
      h("span", { class: "name" }, spoken(layer.name), chip(layer)),
      ...notes.map(noteOf),
    ),
  );
}

/** What is to be known of a finding; that it is cut stands out and is told in the page's language. */
function noteOf(note: string): HTMLElement {
  if (note !== CUT) return h("span", { class: "note", lang: "en" }, note);
  return h("span", { class: "note cut", "data-testid": "cut" }, t("list.cut"));
}

/** The side, unless the name tells it. */
function chip(layer: Layer): HTMLElement | undefined {
  const { laterality, name } = layer;
  if (laterality !== "left" && laterality !== "right") return undefined;
  if (name.toLowerCase().includes(laterality)) return undefined;
  return h("span", { class: "chip" }, t(laterality === "left" ? "side.left" : "side.right"));
}

function amount(value: number, unit: string): string {
  const digits = value < 10 ? 2 : value < 100 ? 1 : 0;
  return `${value.toLocaleString("en", { maximumFractionDigits: digits })} ${unit}`;
}

function arrow(label: string, title: string, click: () => void): HTMLElement {
  return h("button", { type: "button", class: "quiet", title, "aria-label": title, on: { click } }, label);
}

function button(label: string, test: string, click: () => void): HTMLElement {
  return h("button", { type: "button", class: "quiet", "data-testid": test, on: { click } }, label);
}
