/** Panes, toolbar, slider and the column beside them: one volume and what was found in it. */

import type { Vec3 } from "../imaging/affine";
import { align } from "../imaging/alignment";
import { rangeOf } from "../imaging/heat";
import { type Layer, layersOf } from "../imaging/layer";
import type { Axis } from "../imaging/orientation";
import { clampIndex, type Volume } from "../imaging/volume";
import { presetsFor } from "../imaging/window";
import type { Delineation } from "../service/documents";
import { differences, type Shown } from "./address";
import { type Controls, heatControls, restoredControls } from "./controls";
import { fill, h } from "./dom";
import { FindingList } from "./findings";
import { showHelp } from "./help";
import { listenToKeys } from "./keyboard";
import { MeasureList } from "./measurelist";
import type { Together } from "./differences";
import { Heat, Restored } from "./overlays";
import { Pane, type Under } from "./pane";
import { type Beside, readoutOf } from "./readout";
import { pictureOf, save } from "./screenshot";
import { INITIAL, replaced, Store, type ViewState } from "./store";
import { t } from "./texts";
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
  readonly #measures: MeasureList;
  /** How the view would be if nothing were changed. */
  #first: ViewState;
  #result: Delineation | undefined;
  /** Slice to show in the end. */
  readonly #goal: number;
  #list: FindingList | undefined;
  #controls: Controls | undefined;
  /** Samples of the result: scores, or a restored image. */
  #samples: Beside | undefined;
  #loadedBytes = 0;
  #toldAt = 0;
  /** Slice that was shown last because it had come; another one was chosen by somebody. */
  #followed: number;

  constructor(
    readonly volume: Volume,
    readonly shown: Shown,
    leave: AbortSignal,
  ) {
    const { shape } = volume;
    const volumetric = shape[0] > 1;
    const middle = shape.map((count) => Math.floor((count - 1) / 2)) as [number, number, number];
    this.#first = { ...INITIAL, at: middle, crosshair: volumetric };
    const asked = shown.at ?? [shown.slice ?? middle[0], middle[1], middle[2]];
    const at = asked.map((part, axis) => clampIndex(volume, axis as Axis, part)) as [number, number, number];
    this.#goal = this.#followed = at[0];
    const main = volumetric ? (shown.main ?? 0) : 0;
    this.store = new Store<ViewState>({ ...this.#first, ...shown, at, main });
    this.#measures = new MeasureList(volume, this.store);
    const axes: Axis[] = volumetric ? [0, 1, 2] : [0];
    this.#panes = axes.map((axis) => new Pane(volume, axis, this.store, () => this.loadedSlices));
    for (const pane of this.#panes) pane.onHover = this.#hover;
    this.#toolbar = new Toolbar(this.store, volumetric, showHelp, () => this.#save());
    this.#toolbar.slabbed = volume.channels === 1;
    this.#slider.addEventListener("input", () => this.#slide(Number(this.#slider.value)));
    const grid = (this.#grid = h("div", { class: volumetric ? "panes" : "panes single" }));
    grid.append(...this.#panes.map((pane) => pane.element), this.#loading);
    this.element = h(
      "div",
      { class: "viewer" },
      h(
        "div",
        { class: "stage" },
        h("h1", { class: "unseen" }, t("view.title")),
        this.#toolbar.element,
        grid,
        volumetric && h("div", { class: "slider" }, this.#slider, this.#position),
      ),
      this.aside,
    );
    const [store, panes, toolbar] = [this.store, this.#panes, this.#toolbar];
    listenToKeys({ store, panes, toolbar, list: () => this.#list, save: () => this.#save() }, leave);
    this.store.listen(() => this.#draw());
    if (volume.modality === "CT") this.#toolbar.presets = presetsFor("CT", volume.dtype, [0, 1]);
    this.store.tell();
  }

  get panes(): readonly Pane[] {
    return this.#panes;
  }

  /** Whether all slices are there. */
  get complete(): boolean {
    return this.loadedSlices >= this.volume.shape[0];
  }

  get loadedSlices(): number {
    const { samples, shape } = this.volume;
    return Math.floor((this.#loadedBytes / samples.byteLength) * shape[0]);
  }

  /** What of the view is told by its address. */
  get changed(): Shown {
    return differences(this.store.value, this.#first);
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
    this.#first = { ...this.#first, window: this.store.value.window };
    if (this.shown.window) this.store.update({ window: this.shown.window });
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
    this.#result = result;
    const kind = gives === "image" ? "restored" : "score";
    this.#samples = samples && !failed ? { volume: samples as Volume, kind } : undefined;
    this.#toolbar.outlined = gives !== "classes" && gives !== "image";
    const listed = gives !== "classes" && gives !== "image" && (gives !== "instances" || drawn.length > 0);
    if (listed) this.#list = new FindingList(layers, this.volume, this.store, ({ id, place }) => this.reveal(place, id));
    if (this.#samples && gives === "field") this.#controls = this.#warm(this.#samples.volume, result);
    if (this.#samples && gives === "image") this.#controls = this.#restored(this.#samples.volume);
    const parts = [
      gives === "instances" && countView(result),
      gives === "classes" && classesView(result),
      overallView(result),
      this.#controls?.element,
      failed ? unshown(t("view.noSamples", { why: failed.message })) : undefined,
      !failed && gives === "image" && !this.#controls && unshown(t("view.askew")),
      this.#measures.element,
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
  compare(differences: Together | undefined): void {
    for (const pane of this.#panes) pane.differences = differences;
    this.store.tell();
  }

  #restored(restored: Volume): Controls | undefined {
    const alignment = align(this.volume, restored);
    if (!alignment) return undefined;
    for (const pane of this.#panes) pane.restored = new Restored(restored, alignment, pane.plane);
    this.#toolbar.slabbed = false;
    this.#first = { ...this.#first, shown: "restored" };
    this.store.update({ shown: this.shown.shown ?? "restored", slab: INITIAL.slab });
    return restoredControls(this.volume, restored, this.store);
  }

  /** Go to one finding, and mark it if it is one of this result. */
  reveal(place: Vec3, chosen?: number): void {
    const at = place.map((part, axis) => clampIndex(this.volume, axis as Axis, part));
    this.store.update({ at: at as unknown as Vec3, chosen });
    this.#panes[0]!.reveal(place);
  }

  #draw(): void {
    const { at, main } = this.store.value;
    for (const pane of this.#panes) pane.draw();
    this.#toolbar.draw();
    this.#list?.draw();
    this.#measures.draw();
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
    pane.readout = readoutOf(pane, index, under, this.#samples);
  };

  #slide(to: number): void {
    const { at, main } = this.store.value;
    this.store.update({ at: replaced(at, main, clampIndex(this.volume, main, to)) });
  }

  #save(): void {
    const { detector } = this.#result ?? {};
    const made = detector && `${detector.title} ${detector.version}`;
    // A canvas of WebGL can be read only right after it is drawn.
    this.#beside?.draw();
    const told = [this.volume.modality === "CT" ? this.#toolbar.told : "", made ?? "", "delineate"];
    const name = `delineate-${this.store.value.at[this.store.value.main] + 1}.png`;
    save(pictureOf(this.#panes, this.#grid, told), name);
  }
}

function unshown(why: string): HTMLElement {
  return h("p", { class: "note", "data-testid": "unshown" }, why);
}
