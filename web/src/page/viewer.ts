/** Panes, toolbar, slider and the column beside them: one volume and what was found in it. */

import type { Vec3 } from "../imaging/affine";
import { align } from "../imaging/alignment";
import { rangeOf } from "../imaging/heat";
import { type Item, type Layer, layersOf } from "../imaging/layer";
import type { Axis } from "../imaging/orientation";
import { clampIndex, sampleAt, toIndex, toWorld, type Volume } from "../imaging/volume";
import { presetsFor } from "../imaging/window";
import type { Delineation } from "../service/documents";
import { fill, h } from "./dom";
import { type Controls, heatControls, restoredControls } from "./controls";
import { FindingList } from "./findings";
import { showHelp } from "./help";
import type { Differences } from "./differences";
import { Heat, Restored } from "./overlays";
import { Pane, type Under } from "./pane";
import { INITIAL, replaced, Store, type ViewState } from "./store";
import { spoken, t } from "./texts";
import { Toolbar } from "./toolbar";
import { classesView, countView, overallView } from "./whole";

/** What stands beside the planes. */
export interface View {
  readonly element: HTMLElement;
  draw(): void;
}

/** Drawing slices as they come should not hold up their coming. */
const TELL_EVERY_MS = 150;

export class Viewer {
  readonly element: HTMLElement;
  /** The column at the right: progress first, then what was found. */
  readonly aside = h("aside", { class: "aside", "aria-label": t("list.findings") });
  readonly store: Store<ViewState>;
  readonly #panes: readonly Pane[];
  readonly #toolbar: Toolbar;
  readonly #slider = h("input", { type: "range", min: 0, "data-testid": "slice", "aria-label": t("view.slice") });
  readonly #position = h("output", { class: "position", "data-testid": "position" });
  readonly #loading = h("div", { class: "loading", "data-testid": "loading" });
  readonly #grid: HTMLElement;
  /** What was found. */
  layers: readonly Layer[] = [];
  #beside: View | undefined;
  /** Slice to show in the end. */
  readonly #goal: number;
  #list: FindingList | undefined;
  #controls: Controls | undefined;
  /** Samples of the result: scores, or a restored image. */
  #samples: Volume | undefined;
  #loadedBytes = 0;
  #toldAt = 0;
  /** Slice that was shown last because it had come; another one was chosen by somebody. */
  #followed: number;

  constructor(
    readonly volume: Volume,
    slice: number | undefined,
    leave: AbortSignal,
  ) {
    const { shape } = volume;
    const volumetric = shape[0] > 1;
    const middle = shape.map((count) => Math.floor((count - 1) / 2)) as [number, number, number];
    if (slice !== undefined) middle[0] = clampIndex(volume, 0, slice);
    this.#goal = this.#followed = middle[0];
    this.store = new Store<ViewState>({ ...INITIAL, at: middle, crosshair: volumetric });
    const axes: Axis[] = volumetric ? [0, 1, 2] : [0];
    this.#panes = axes.map((axis) => new Pane(volume, axis, this.store, () => this.loadedSlices));
    for (const pane of this.#panes) pane.onHover = this.#hover;
    this.#toolbar = new Toolbar(this.store, volumetric, showHelp);
    this.#slider.addEventListener("input", () => this.#slide(Number(this.#slider.value)));
    const grid = (this.#grid = h("div", { class: volumetric ? "panes" : "panes single" }));
    grid.append(...this.#panes.map((pane) => pane.element), this.#loading);
    this.element = h(
      "div",
      { class: "viewer" },
      h(
        "div",
        { class: "stage" },
        this.#toolbar.element,
        grid,
        volumetric && h("div", { class: "slider" }, this.#slider, this.#position),
      ),
      this.aside,
    );
    window.addEventListener("keydown", (event) => this.#key(event), { signal: leave });
    this.store.listen(() => this.#draw());
    if (volume.modality === "CT") this.#toolbar.presets = presetsFor("CT", volume.dtype, [0, 1]);
    this.store.tell();
  }

  get loadedSlices(): number {
    const { samples, shape } = this.volume;
    return Math.floor((this.#loadedBytes / samples.byteLength) * shape[0]);
  }

  /** Tell how many bytes of the samples are there; slices show as they come. */
  loaded(bytes: number): void {
    this.#loadedBytes = bytes;
    const slices = this.loadedSlices;
    const now = performance.now();
    const complete = slices >= this.volume.shape[0];
    if (!complete && now - this.#toldAt < TELL_EVERY_MS) return;
    this.#toldAt = now;
    const { at } = this.store.value;
    if (at[0] === this.#followed && slices > 0) {
      this.#followed = Math.min(this.#goal, slices - 1);
      this.store.update({ at: replaced(at, 0, this.#followed) });
    }
    this.store.tell();
    fill(this.#loading, t("view.loadingSlices", { n: slices, count: this.volume.shape[0] }));
    if (!complete) return;
    this.#loading.remove();
    this.#toolbar.presets = presetsFor(this.volume.modality, this.volume.dtype, this.volume.samples);
    this.#toolbar.choose(0);
    this.#panes[0]!.focus();
  }

  /**
   * Show what was found.
   *
   * `samples` are those of a field or a restored image, or why there are none; `footer` goes below.
   */
  show(result: Delineation, samples: Volume | Error | undefined, ...footer: (Node | undefined)[]): void {
    const { gives } = result.detector;
    const layers: readonly Layer[] = layersOf(result.findings, this.volume.inverse);
    const drawn = layers.filter((layer) => layer.items.length > 0);
    for (const pane of this.#panes) pane.layers = layers;
    this.layers = layers;
    const failed = samples instanceof Error ? samples : undefined;
    this.#samples = samples instanceof Error ? undefined : samples;
    this.#toolbar.outlined = gives !== "classes" && gives !== "image";
    const listed = gives !== "classes" && gives !== "image" && (gives !== "instances" || drawn.length > 0);
    if (listed) this.#list = new FindingList(layers, this.volume, this.store, this.#reveal);
    if (this.#samples && gives === "field") this.#controls = this.#warm(this.#samples, result);
    if (this.#samples && gives === "image") this.#controls = this.#restored(this.#samples);
    const parts = [
      gives === "instances" && countView(result),
      gives === "classes" && classesView(result),
      overallView(result),
      this.#controls?.element,
      failed ? unshown(t("view.noSamples", { why: failed.message })) : undefined,
      !failed && gives === "image" && !this.#controls && unshown(t("view.askew")),
      this.#list?.element,
    ];
    fill(this.aside, ...parts, ...footer);
    this.store.tell();
  }

  #warm(field: Volume, { findings }: Delineation): Controls {
    const range = rangeOf(field.samples);
    for (const pane of this.#panes) pane.heat = new Heat(field, range, pane.plane);
    return heatControls(findings[0], range, this.store);
  }

  /** Have another view beside the planes, drawn whenever they are. */
  beside(view: View): void {
    this.#beside = view;
    this.#grid.append(view.element);
    this.store.tell();
  }

  /** Draw another result with this one; nothing: no more. */
  compare(differences: Differences | undefined): void {
    for (const pane of this.#panes) pane.differences = differences;
    this.store.tell();
  }

  #restored(restored: Volume): Controls | undefined {
    const alignment = align(this.volume, restored);
    if (!alignment) return undefined;
    for (const pane of this.#panes) pane.restored = new Restored(restored, alignment, pane.plane);
    this.store.update({ shown: "restored" });
    return restoredControls(this.volume, restored, this.store);
  }

  /** Go to one finding. */
  #reveal = ({ id, place }: Item): void => {
    const at = place.map((part, axis) => clampIndex(this.volume, axis as Axis, part));
    this.store.update({ at: at as unknown as Vec3, chosen: id });
    this.#panes[0]!.reveal(place);
  };

  #draw(): void {
    const { at, main } = this.store.value;
    for (const pane of this.#panes) pane.draw();
    this.#toolbar.draw();
    this.#list?.draw();
    this.#controls?.draw();
    this.#beside?.draw();
    const count = this.volume.shape[main];
    this.#slider.max = String(count - 1);
    this.#slider.value = String(at[main]);
    this.#slider.setAttribute("aria-valuetext", t("view.position", { at: at[main] + 1, count }));
    fill(this.#position, `${at[main] + 1} / ${count}`);
  }

  #hover = (pane: Pane, index: Vec3 | undefined, under: readonly Under[]): void => {
    for (const other of this.#panes) if (other !== pane) other.readout = [];
    this.#list?.highlight(under.map(({ name }) => name));
    const values = index && sampleAt(this.volume, index);
    if (!index || !values) {
      pane.readout = [];
      return;
    }
    const { modality, unit } = this.volume;
    const round = (value: number) => Number(value.toFixed(Number.isInteger(value) ? 0 : 2));
    const digits = unit === "mm" ? 1 : 0;
    const world = toWorld(this.volume, index).slice(0, modality === "photo" || unit === "px" ? 2 : 3);
    pane.readout = [
      `${values.map(round).join(", ")}${modality === "CT" ? " HU" : ""}`,
      `${world.map((part) => part.toFixed(digits)).join(", ")} ${unit}`,
      ...this.#told(index),
      ...under.map(({ name, score }) => (score === undefined ? spoken(name) : `${spoken(name)} ${score.toFixed(2)}`)),
    ];
  };

  /** The score, or the restored sample, at a place. */
  #told(index: Vec3): string[] {
    if (!this.#samples) return [];
    const values = sampleAt(this.#samples, toIndex(this.#samples, toWorld(this.volume, index)));
    if (!values) return [];
    const restored = this.#samples.channels > 1 || this.#controls?.element.dataset.testid === "restored";
    const told = values.map((value) => Number(value.toPrecision(4))).join(", ");
    return [t(restored ? "view.restoredValue" : "view.score", { values: told })];
  }

  #slide(to: number): void {
    const { at, main } = this.store.value;
    this.store.update({ at: replaced(at, main, clampIndex(this.volume, main, to)) });
  }

  #key(event: KeyboardEvent): void {
    const { target } = event;
    const input = target instanceof HTMLInputElement ? target.type : "";
    // A slider takes the keys that move it, and no letters.
    const moving = input === "range" && /^(Arrow|Page|Home|End)/.test(event.key);
    const entering = moving || !["", "checkbox", "range"].includes(input);
    const elsewhere = entering || document.querySelector("dialog[open]") !== null;
    if (event.ctrlKey || event.metaKey || event.altKey || elsewhere) return;
    const { at, main } = this.store.value;
    const here = at[main];
    const pane = this.#panes[main]!;
    const { store } = this;
    const flip = (name: "outline" | "crosshair" | "smooth") => () =>
      store.update({ [name]: !store.value[name] });
    const actions: Record<string, () => void> = {
      ArrowUp: () => this.#slide(here - 1),
      ArrowLeft: () => this.#slide(here - 1),
      ArrowDown: () => this.#slide(here + 1),
      ArrowRight: () => this.#slide(here + 1),
      PageUp: () => this.#slide(here - 10),
      PageDown: () => this.#slide(here + 10),
      Home: () => this.#slide(0),
      End: () => this.#slide(this.volume.shape[main]),
      "+": () => pane.zoom(1.25),
      "=": () => pane.zoom(1.25),
      "-": () => pane.zoom(0.8),
      "0": () => this.#toolbar.reset(),
      o: flip("outline"),
      f: () => store.update({ fill: store.value.fill > 0 ? 0 : INITIAL.fill }),
      x: flip("crosshair"),
      s: flip("smooth"),
      h: () => this.#list?.toggleAll(),
      n: () => this.#list?.step(1),
      p: () => this.#list?.step(-1),
      m: () => store.update({ heat: { ...store.value.heat, shown: !store.value.heat.shown } }),
      r: () => store.update({ shown: store.value.shown === "source" ? "restored" : "source" }),
      w: () => this.#toolbar.next(1),
      W: () => this.#toolbar.next(-1),
      "?": showHelp,
    };
    for (const other of this.#panes) {
      actions[String(other.axis + 1)] = () => store.update({ main: other.axis });
    }
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }
}

function unshown(why: string): HTMLElement {
  return h("p", { class: "note", "data-testid": "unshown" }, why);
}
