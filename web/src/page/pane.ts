/** One plane of the volume: its canvas, the letters around it, and what the mouse does there. */

import type { Vec3 } from "../imaging/affine";
import type { Layer } from "../imaging/layer";
import { type Axis, type Plane, planeOf } from "../imaging/orientation";
import {
  FITTED,
  fitScale,
  indexToCanvas,
  inverseMatrix,
  type Matrix,
  transform,
  zoomAt,
} from "../imaging/viewport";
import { clampIndex, paintSlice, type Volume } from "../imaging/volume";
import { draggedWindow, type Window } from "../imaging/window";
import { fill, h, icon, ICONS } from "./dom";
import {
  drawCrosshair,
  drawRuler,
  type Ground,
  marksOf,
  type Shape,
  shapeOf,
  strokeOutline,
} from "./drawing";
import { replaced, type Store, type ViewState } from "./store";

const TITLES = { axial: "Axial", coronal: "Coronal", sagittal: "Sagittal", picture: "Picture" };

export class Pane {
  readonly element: HTMLElement;
  readonly plane: Plane;
  readonly #canvas = h("canvas", { tabindex: 0, role: "img" });
  readonly #caption = h("span", { class: "caption" });
  readonly #readout = h("div", { class: "readout", "data-testid": "readout" });
  readonly #slice: { canvas: HTMLCanvasElement; image: ImageData; key: string };
  #shapes = new Map<string, Shape>();
  #shapesAt = -1;
  #layers: readonly Layer[] = [];

  constructor(
    readonly volume: Volume,
    readonly axis: Axis,
    readonly store: Store<ViewState>,
    readonly loadedSlices: () => number,
  ) {
    // A photograph lies in no patient, also where its scale is known.
    this.plane = planeOf(volume.affine, axis, volume.modality === "photo" ? "px" : volume.unit);
    const size = [volume.shape[this.plane.across], volume.shape[this.plane.down]] as const;
    const canvas = h("canvas", { width: size[0], height: size[1] });
    this.#slice = { canvas, image: new ImageData(...size), key: "" };
    const { letters, name } = this.plane;
    const title = TITLES[name];
    this.#canvas.setAttribute("aria-label", `${title} slice. Arrow keys change the slice.`);
    this.element = h(
      "section",
      { class: "pane", "data-plane": name, "data-axis": axis, "aria-label": title },
      this.#canvas,
      ...(["left", "right", "top", "bottom"] as const).map((side) =>
        h("span", { class: `letter ${side}`, "data-testid": `letter-${side}` }, letters[side]),
      ),
      h("div", { class: "title" }, h("strong", {}, title), this.#caption),
      this.#readout,
      h(
        "button",
        {
          class: "expand",
          type: "button",
          title: `Enlarge the ${name} plane (${axis + 1})`,
          "aria-label": `Enlarge the ${name} plane`,
          on: { click: () => store.update({ main: axis }) },
        },
        icon(...ICONS.expand),
      ),
    );
    this.#listen();
    new ResizeObserver(() => store.tell()).observe(this.element);
  }

  set layers(layers: readonly Layer[]) {
    this.#layers = layers;
    this.#shapesAt = -1;
  }

  focus(): void {
    this.#canvas.focus({ preventScroll: true });
  }

  draw(): void {
    const { clientWidth, clientHeight } = this.element;
    if (!clientWidth || !clientHeight) return;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)];
    if (this.#canvas.width !== width) this.#canvas.width = width;
    if (this.#canvas.height !== height) this.#canvas.height = height;
    const context = this.#canvas.getContext("2d")!;
    const state = this.store.value;
    const matrix = this.#matrix();

    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, width, height);
    this.#paint();
    context.setTransform(...matrix);
    context.imageSmoothingEnabled = state.smooth;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.#slice.canvas, -0.5, -0.5);
    context.setTransform(1, 0, 0, 1, 0, 0);

    const ground = { context, matrix, ratio };
    this.#drawLayers(ground);
    if (state.crosshair && this.volume.shape[0] > 1) {
      drawCrosshair(ground, this.plane, this.volume, state.at);
    }
    const { zoom } = state.viewports[this.axis];
    drawRuler(ground, fitScale(this.plane, this.volume, this.#canvas) * zoom, this.volume.unit);
    this.element.classList.toggle("main", state.main === this.axis);
    fill(this.#caption, `${state.at[this.axis] + 1} / ${this.volume.shape[this.axis]}`);
  }

  /** Names of the layers at a place of the screen, those drawn last first. */
  namesAt(x: number, y: number): string[] {
    const context = this.#canvas.getContext("2d")!;
    const [across, down] = transform(inverseMatrix(this.#matrix()), x, y);
    return this.#visible()
      .filter((layer) => {
        const area = this.#shapes.get(layer.name)?.area;
        return area && context.isPointInPath(area, across, down, "evenodd");
      })
      .map((layer) => layer.name)
      .reverse();
  }

  #visible(): Layer[] {
    const { hidden } = this.store.value;
    return this.#layers.filter((layer) => layer.found && !hidden.has(layer.name));
  }

  #matrix(): Matrix {
    return indexToCanvas(
      this.plane,
      this.volume,
      this.store.value.viewports[this.axis],
      this.#canvas,
    );
  }

  #paint(): void {
    const { at, window } = this.store.value;
    const index = at[this.axis];
    const progress = this.axis === 0 ? Number(this.loadedSlices() > index) : this.loadedSlices();
    const key = `${index} ${window.centre} ${window.width} ${progress}`;
    if (key === this.#slice.key) return;
    this.#slice.key = key;
    const { image, canvas } = this.#slice;
    paintSlice(this.volume, this.plane, index, window, new Uint32Array(image.data.buffer));
    const context = canvas.getContext("2d")!;
    context.putImageData(image, 0, 0);
    this.#clearMissing(context);
  }

  /** Slices that have not come yet are black, not the grey that a sample of zero has. */
  #clearMissing(context: CanvasRenderingContext2D): void {
    const loaded = this.loadedSlices();
    const { shape } = this.volume;
    if (loaded >= shape[0]) return;
    context.fillStyle = "#000";
    const [width, height] = [shape[this.plane.across], shape[this.plane.down]];
    if (this.plane.across === 0) context.fillRect(loaded, 0, width - loaded, height);
    else if (this.plane.down === 0) context.fillRect(0, loaded, width, height - loaded);
    else if (this.store.value.at[0] >= loaded) context.fillRect(0, 0, width, height);
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
    const toCanvas = new DOMMatrix([...matrix]);
    const moved = (path: Path2D) => {
      const result = new Path2D();
      result.addPath(path, toCanvas);
      return result;
    };
    for (const layer of this.#visible()) {
      const shape = this.#shapes.get(layer.name);
      if (shape) {
        if (opacity > 0) {
          context.globalAlpha = opacity;
          context.fillStyle = layer.colour;
          context.fill(moved(shape.area), "evenodd");
          context.globalAlpha = 1;
        }
        if (outline) strokeOutline(ground, moved(shape.outline), layer);
      }
      if (this.axis === 0) strokeOutline(ground, marksOf(layer, this.plane, at[0], ground), layer);
    }
  }

  /** Canvas pixels of a mouse event. */
  #place(event: MouseEvent): [number, number] {
    const bounds = this.#canvas.getBoundingClientRect();
    const ratio = this.#canvas.width / bounds.width;
    return [(event.clientX - bounds.left) * ratio, (event.clientY - bounds.top) * ratio];
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

  set readout(parts: readonly string[]) {
    fill(this.#readout, ...parts.map((part) => h("span", {}, part)));
  }

  onHover: (pane: Pane, index: Vec3 | undefined, names: readonly string[]) => void = () => {};

  #go(index: Vec3): void {
    this.store.update({
      at: [0, 1, 2].map((axis) => clampIndex(this.volume, axis as Axis, index[axis]!)) as [
        number,
        number,
        number,
      ],
    });
  }

  #listen(): void {
    const canvas = this.#canvas;
    const { store, axis } = this;
    let notches = 0;
    canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        if (event.ctrlKey || event.metaKey) {
          const factor = Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002));
          this.#zoom(factor, ...this.#place(event));
          return;
        }
        notches += event.deltaMode ? event.deltaY : event.deltaY / 40;
        const whole = Math.trunc(notches);
        notches -= whole;
        if (whole) this.scroll(Math.sign(whole));
      },
      { passive: false },
    );
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("dblclick", () => store.update({
      viewports: replaced(store.value.viewports, axis, FITTED),
    }));
    canvas.addEventListener("pointerdown", (event) => this.#press(event));
    canvas.addEventListener("pointermove", (event) => {
      const [x, y] = this.#place(event);
      this.onHover(this, this.indexAt(x, y), this.namesAt(x, y));
    });
    canvas.addEventListener("pointerleave", () => this.onHover(this, undefined, []));
  }

  #zoom(factor: number, x: number, y: number): void {
    const { store, axis } = this;
    const view = zoomAt(store.value.viewports[axis], factor, x, y, this.#canvas);
    store.update({ viewports: replaced(store.value.viewports, axis, view) });
  }

  zoom(factor: number): void {
    this.#zoom(factor, this.#canvas.width / 2, this.#canvas.height / 2);
  }

  scroll(slices: number): void {
    const { store, axis } = this;
    const at = clampIndex(this.volume, axis, store.value.at[axis] + slices);
    store.update({ at: replaced(store.value.at, axis, at) });
  }

  /** Right button or shift: window. Left: a click sets the crosshair, a drag moves the picture. */
  #press(start: PointerEvent): void {
    this.#canvas.setPointerCapture(start.pointerId);
    const { store, axis } = this;
    const before = store.value;
    const [x0, y0] = this.#place(start);
    const windowing = start.button === 2 || start.shiftKey;
    const small = before.main !== axis;
    let moved = false;
    const move = (event: PointerEvent) => {
      const [x, y] = this.#place(event);
      if (Math.hypot(x - x0, y - y0) > 3) moved = true;
      if (!moved) return;
      if (windowing) {
        const [dx, dy] = [event.clientX - start.clientX, event.clientY - start.clientY];
        store.update({ window: draggedWindow(before.window, dx, dy) satisfies Window });
      } else if (small && start.button === 0) {
        this.#go(this.indexAt(x, y));
      } else {
        const view = before.viewports[axis];
        const pan = { ...view, x: view.x + x - x0, y: view.y + y - y0 };
        store.update({ viewports: replaced(store.value.viewports, axis, pan) });
      }
    };
    const drag = new AbortController();
    const release = (event: PointerEvent) => {
      drag.abort();
      if (event.type === "pointerup" && !moved && !windowing && start.button === 0) {
        this.#go(this.indexAt(x0, y0));
      }
    };
    const { signal } = drag;
    this.#canvas.addEventListener("pointermove", move, { signal });
    this.#canvas.addEventListener("pointerup", release, { signal });
    this.#canvas.addEventListener("pointercancel", release, { signal });
  }
}
