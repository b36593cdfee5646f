/** Setting and taking things on a picture: what the left button does there. */

import type { Vec3 } from "../imaging/affine";
import type { Pane } from "../page/pane";
import { Overlay } from "./overlay";
import type { ThingEditor } from "./thingeditor";

/** Screen pixels: one that is drawn over less is a point, and a point is found from so near. */
const [LEAST_BOX, REACH] = [5, 8] as const;

/** Take the left button of a pane, until somebody leaves. */
export class ThingSurface {
  readonly #canvas: HTMLCanvasElement;
  readonly #box: SVGElement;
  #from: PointerEvent | undefined;

  constructor(
    readonly pane: Pane,
    readonly editor: ThingEditor,
    leave: AbortSignal,
  ) {
    const overlay = new Overlay(pane, leave);
    this.#canvas = overlay.canvas;
    this.#box = overlay.mark("rect");
    overlay.listen("pointerdown", (event) => this.#press(event));
    overlay.listen("pointermove", (event) => this.#move(event));
    overlay.listen("pointerup", (event) => this.#release(event));
    overlay.listen("pointercancel", () => this.drop());
    this.draw();
  }

  draw(): void {
    this.#canvas.classList.toggle("drawn-on", this.editor.tool !== "none");
  }

  /** Drop the box that is being drawn; whether there was one. */
  drop(): boolean {
    const had = this.#from !== undefined;
    this.#from = undefined;
    this.#box.removeAttribute("width");
    return had;
  }

  #press(event: PointerEvent): void {
    const { tool } = this.editor;
    if (tool === "none" || event.button !== 0 || event.shiftKey) return;
    event.stopPropagation();
    event.preventDefault();
    this.pane.focus();
    if (tool === "mark") {
      this.#canvas.setPointerCapture(event.pointerId);
      this.#from = event;
      return;
    }
    const hit = this.editor.at(this.#index(event), this.#reach());
    if (hit && tool === "remove") this.editor.remove(hit.id);
    else if (hit) this.editor.rename(hit.id);
  }

  #move(event: PointerEvent): void {
    const from = this.#from;
    if (!from) return;
    event.stopPropagation();
    const { left, top } = this.#canvas.getBoundingClientRect();
    const [x, y] = [Math.min(from.clientX, event.clientX), Math.min(from.clientY, event.clientY)];
    this.#box.setAttribute("x", String(x - left));
    this.#box.setAttribute("y", String(y - top));
    this.#box.setAttribute("width", String(Math.abs(event.clientX - from.clientX)));
    this.#box.setAttribute("height", String(Math.abs(event.clientY - from.clientY)));
  }

  #release(event: PointerEvent): void {
    const from = this.#from;
    if (!from) return;
    event.stopPropagation();
    this.drop();
    const [one, two] = [this.#inside(from), this.#inside(event)];
    const far = Math.min(Math.abs(event.clientX - from.clientX), Math.abs(event.clientY - from.clientY));
    if (far >= LEAST_BOX) this.editor.add(one, two);
    else if (this.#within(this.#index(from))) this.editor.add(one);
  }

  /** So many indices are `REACH` of the screen's pixels. */
  #reach(): number {
    const { width } = this.#canvas.getBoundingClientRect();
    const pixels = (REACH * this.#canvas.width) / width;
    const [one, two] = [this.pane.indexAt(0, 0), this.pane.indexAt(pixels, 0)];
    return Math.hypot(two[1] - one[1], two[2] - one[2]);
  }

  #index(event: PointerEvent): Vec3 {
    const { left, top, width } = this.#canvas.getBoundingClientRect();
    const ratio = this.#canvas.width / width;
    return this.pane.indexAt((event.clientX - left) * ratio, (event.clientY - top) * ratio);
  }

  /** The index, or the nearest one that lies on the picture. */
  #inside(event: PointerEvent): Vec3 {
    const { shape } = this.pane.volume;
    return this.#index(event).map((at, axis) => Math.max(-0.5, Math.min(shape[axis]! - 0.5, at))) as unknown as Vec3;
  }

  #within(index: Vec3): boolean {
    const { shape } = this.pane.volume;
    return index.every((at, axis) => at >= -0.5 && at <= shape[axis]! - 0.5);
  }
}
