/** One plane of the volume: its canvas, the letters around it, and what the mouse does there. */

import type { Vec3 } from "../imaging/affine";
import { type Item, itemAt, type Layer } from "../imaging/layer";
import { type Axis, type Plane, planeOf } from "../imaging/orientation";
import { centredOn, fitScale, indexToCanvas, inverseMatrix, type Matrix } from "../imaging/viewport";
import { moved, transform, type Viewport, zoomAt } from "../imaging/viewport";
import { clampIndex, type Volume } from "../imaging/volume";
import { Cross } from "./cross";
import { fill, h, icon, ICONS } from "./dom";
import {
  drawChosen,
  drawDivider,
  drawRuler,
  type Ground,
  marksOf,
  movedBy,
  type Shape,
  shapeOf,
  strokeOutline,
} from "./drawing";
import type { Together } from "./differences";
import { listen } from "./gestures";
import { drawMeasurements } from "./measures";
import type { Heat, Restored } from "./overlays";
import { Source } from "./source";
import { replaced, type Store, type ViewState } from "./store";
import { t } from "./texts";

/** What lies under the cursor. */
export interface Under {
  readonly name: string;
  readonly score: number | undefined;
}

/** A point is found from so many of the screen's pixels on. */
const REACH = 8;

export class Pane {
  readonly element: HTMLElement;
  readonly plane: Plane;
  readonly canvas = h("canvas", { tabindex: 0, role: "img" });
  readonly cross: Cross;
  readonly #caption = h("span", { class: "caption" });
  readonly #slab = h("div", { class: "slab", "data-testid": "slab-told" });
  /** Where the mouse is, in canvas pixels. */
  pointed: readonly [number, number] | undefined;
  readonly #readout = h("div", { class: "readout", "data-testid": "readout" });
  readonly source: Source;
  heat: Heat | undefined;
  restored: Restored | undefined;
  /** Another result that is drawn with this one. */
  differences: Together | undefined;
  #shapes = new Map<string, Shape>();
  #shapesAt = -1;
  /** What the picture was drawn for. */
  #drawn = "";
  #layers: readonly Layer[] = [];

  constructor(
    readonly volume: Volume,
    readonly axis: Axis,
    readonly store: Store<ViewState>,
    readonly loadedSlices: () => number,
  ) {
    // A photograph lies in no patient, also where its scale is known.
    this.plane = planeOf(volume.affine, axis, volume.modality === "photo" ? "px" : volume.unit);
    this.source = new Source(volume, this.plane);
    this.cross = new Cross(volume, this.plane);
    const { letters, name } = this.plane;
    const title = t(`plane.${name}`);
    this.element = h(
      "section",
      { class: "pane", "data-plane": name, "data-axis": axis, "aria-label": title },
      this.canvas,
      this.cross.element,
      ...(["left", "right", "top", "bottom"] as const).map((side) =>
        h("span", { class: `letter ${side}`, "data-testid": `letter-${side}` }, letters[side]),
      ),
      h("div", { class: "title" }, h("strong", {}, title), this.#caption),
      this.#slab,
      this.#readout,
      h(
        "button",
        {
          class: "expand",
          type: "button",
          title: t("pane.enlarge", { plane: title, key: axis + 1 }),
          "aria-label": t("pane.enlarge", { plane: title, key: axis + 1 }),
          on: { click: () => store.update({ main: axis }) },
        },
        icon(...ICONS.expand),
      ),
    );
    listen(this, this.canvas);
    new ResizeObserver(() => store.tell()).observe(this.element);
  }

  set layers(layers: readonly Layer[]) {
    this.#layers = layers;
    this.#shapesAt = -1;
    this.#drawn = "";
  }

  focus(): void {
    this.canvas.focus({ preventScroll: true });
  }

  /** Tell what lies under the mouse, which may rest while the picture below it changes. */
  tellPointed(): void {
    if (!this.pointed) return;
    const [x, y] = this.pointed;
    this.onHover(this, this.indexAt(x, y), this.namesAt(x, y));
  }

  draw(): void {
    const { clientWidth, clientHeight } = this.element;
    if (!clientWidth || !clientHeight) return;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)];
    if (this.canvas.width !== width) this.canvas.width = width;
    if (this.canvas.height !== height) this.canvas.height = height;
    // The crosshair is all that depends on where the other planes are.
    const drawn = `${this.store.looks} ${this.store.value.at[this.axis]} ${width} ${height}`;
    const other = drawn !== this.#drawn;
    if (other) this.#drawPicture(ratio);
    this.#drawn = drawn;
    if (other) this.tellPointed();
    this.cross.draw(this.canvas, this.#matrix(), ratio, this.store.value);
  }

  #drawPicture(ratio: number): void {
    const { width, height } = this.canvas;
    const context = this.canvas.getContext("2d", { alpha: false })!;
    const state = this.store.value;
    const matrix = this.#matrix();

    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, width, height);
    context.imageSmoothingEnabled = state.smooth;
    // The better one costs much, and shows only where samples are smaller than pixels.
    context.imageSmoothingQuality = Math.hypot(matrix[0], matrix[1]) < 1 ? "high" : "low";
    if (!this.restored || state.shown !== "restored") this.source.draw(context, matrix, state, this.loadedSlices());
    if (state.shown !== "source") this.restored?.draw(context, matrix, state);
    this.heat?.draw(context, matrix, state);
    context.setTransform(1, 0, 0, 1, 0, 0);

    const ground = { context, matrix, ratio };
    this.#drawLayers(ground);
    if (this.restored && state.shown === "split") drawDivider(ground, state.divider * width);
    drawMeasurements(ground, this.plane, this.volume, state);
    drawRuler(ground, this.#fit * state.viewports[this.axis].zoom, this.volume.unit);
    this.element.classList.toggle("main", state.main === this.axis);
    const slices = this.volume.shape[this.axis];
    const told = { plane: t(`plane.${this.plane.name}`), at: state.at[this.axis] + 1, count: slices };
    this.canvas.setAttribute("aria-label", t(slices > 1 ? "pane.slices" : "pane.picture", told));
    const slab = this.source.slabTold(state);
    fill(this.#slab, slab && h("span", {}, slab), slab && h("span", {}, t("slab.outlines")));
    fill(this.#caption, slices > 1 && `${state.at[this.axis] + 1} / ${slices}`);
  }

  /** What lies at a place of the screen, that drawn last first. */
  namesAt(x: number, y: number): Under[] {
    const context = this.canvas.getContext("2d")!;
    const matrix = this.#matrix();
    const [across, down] = transform(inverseMatrix(matrix), x, y);
    const reach = (REACH * (window.devicePixelRatio || 1)) / Math.hypot(matrix[0], matrix[1]);
    return this.#visible()
      .flatMap((layer): Under[] => {
        const area = this.#shapes.get(layer.name)?.area;
        const inside = area && context.isPointInPath(area, across, down, "evenodd");
        const item = this.axis === 0 ? itemAt(layer, this.indexAt(x, y), reach) : undefined;
        const marked = item && (layer.points.length > 0 || layer.boxes.length > 0);
        return inside || marked ? [{ name: layer.name, score: item?.score ?? undefined }] : [];
      })
      .reverse();
  }

  /** Names of what is shown on a slice of this plane. */
  namesOn(slice: number): string[] {
    return this.#visible().filter((layer) => shapeOf(layer, this.plane, slice)).map(({ name }) => name);
  }

  #visible(): Layer[] {
    const { hidden } = this.store.value;
    return this.#layers.filter((layer) => layer.found && !hidden.has(layer.name));
  }

  #matrix(): Matrix {
    return indexToCanvas(this.plane, this.volume, this.store.value.viewports[this.axis], this.canvas);
  }

  #drawLayers(ground: Ground): void {
    const { context, matrix } = ground;
    const { at, outline, fill: opacity } = this.store.value;
    if (this.#shapesAt !== at[this.axis]) {
      this.#shapesAt = at[this.axis];
      this.#shapes = new Map();
      for (const layer of this.#layers) {
        const shape = shapeOf(layer, this.plane, this.#shapesAt);
        if (shape) this.#shapes.set(layer.name, shape);
      }
    }
    if (this.differences) return this.differences.draw(ground, this.plane, this.store.value, this.#shapes);
    const onCanvas = movedBy(matrix);
    for (const layer of this.#visible()) {
      const shape = this.#shapes.get(layer.name);
      if (shape) {
        if (opacity > 0) {
          context.globalAlpha = opacity;
          context.fillStyle = layer.colour;
          context.fill(onCanvas(shape.area), "evenodd");
          context.globalAlpha = 1;
        }
        if (outline) strokeOutline(ground, onCanvas(shape.outline), layer);
      }
      if (this.axis === 0) strokeOutline(ground, marksOf(layer, this.plane, at[0], ground), layer);
    }
    const chosen = this.axis === 0 && this.#chosen();
    if (chosen && Math.round(chosen.place[0]) === at[0]) drawChosen(ground, this.plane, chosen);
  }

  #chosen(): Item | undefined {
    const { chosen } = this.store.value;
    if (chosen === undefined) return undefined;
    return this.#visible()
      .flatMap((layer) => layer.items)
      .find(({ id }) => id === chosen);
  }

  /** Index under a place of the canvas, fractions and places outside of the volume included. */
  indexAt(x: number, y: number): Vec3 {
    const [across, down] = transform(inverseMatrix(this.#matrix()), x, y);
    const index: [number, number, number] = [0, 0, 0];
    index[this.axis] = this.store.value.at[this.axis];
    index[this.plane.across] = across;
    index[this.plane.down] = down;
    return index;
  }

  /** Canvas pixels of an index. */
  placeOf(index: Vec3): [number, number] {
    return transform(this.#matrix(), index[this.plane.across], index[this.plane.down]);
  }

  /** Canvas pixels for each millimetre where the whole slice is seen. */
  get #fit(): number {
    return fitScale(this.plane, this.volume, this.canvas);
  }

  set readout(parts: readonly string[]) {
    fill(this.#readout, ...parts.map((part) => h("span", {}, part)));
  }

  onHover: (pane: Pane, index: Vec3 | undefined, under: readonly Under[]) => void = () => {};

  go(index: Vec3): void {
    this.store.update({
      at: [0, 1, 2].map((axis) => clampIndex(this.volume, axis as Axis, index[axis]!)) as [
        number,
        number,
        number,
      ],
    });
  }

  /** Bring a place within the slice to the middle, where only a part of the slice is seen. */
  reveal(index: Vec3): void {
    const { store, axis, plane } = this;
    const [x, y] = transform(this.#matrix(), index[plane.across], index[plane.down]);
    const view = centredOn(store.value.viewports[axis], x, y, this.canvas, this.#fit);
    store.update({ viewports: replaced(store.value.viewports, axis, view) });
  }

  /** Whether the line between source and restored image is at a place of the canvas. */
  isDivider(x: number): boolean {
    const { shown, divider } = this.store.value;
    const reach = REACH * (window.devicePixelRatio || 1);
    const split = (!!this.restored && shown === "split") || this.differences?.mode === "swipe";
    return split && Math.abs(x - divider * this.canvas.width) < reach;
  }

  /** Zoom and leave a place of the canvas where it is. */
  zoomAt(factor: number, x: number, y: number): void {
    const { store, axis } = this;
    const view = zoomAt(store.value.viewports[axis], factor, x, y, this.canvas, this.#fit);
    store.update({ viewports: replaced(store.value.viewports, axis, view) });
  }

  /** Move the picture by canvas pixels, from where it was. */
  move(from: Viewport, dx: number, dy: number): void {
    const { store, axis } = this;
    store.update({ viewports: replaced(store.value.viewports, axis, moved(from, dx, dy, this.#fit)) });
  }

  zoom(factor: number): void {
    this.zoomAt(factor, this.canvas.width / 2, this.canvas.height / 2);
  }

  scroll(slices: number): void {
    const { store, axis } = this;
    const at = clampIndex(this.volume, axis, store.value.at[axis] + slices);
    store.update({ at: replaced(store.value.at, axis, at) });
  }
}
