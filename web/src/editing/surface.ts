/** Drawing on a pane: what the left button does while a structure is edited, and the brush's ring. */

import type { Vec3 } from "../imaging/affine";
import { fitScale, indexToCanvas, transform } from "../imaging/viewport";
import type { Pane } from "../page/pane";
import type { Editor } from "./editor";
import { Overlay } from "./overlay";

type Corner = readonly [number, number];

/** Screen pixels between the corners of a lasso that is drawn in one go. */
const APART = 2;
/** A lasso that was drawn over so many screen pixels closes when the button is let go. */
const IN_ONE_GO = 24;

/** Take the left button of a pane, until somebody leaves; others keep what they had. */
export class Surface {
  readonly #canvas: HTMLCanvasElement;
  readonly #ring: SVGElement;
  readonly #path: SVGElement;
  /** Corners of a lasso in `(across, down)` indices, and the slice they lie on. */
  #corners: Corner[] = [];
  #slice = -1;
  /** Where the brush was last, and where the pointer is. */
  #last: Vec3 | undefined;
  #pointer: PointerEvent | undefined;
  #travelled = 0;
  #awaited = false;

  constructor(
    readonly pane: Pane,
    readonly editor: Editor,
    leave: AbortSignal,
  ) {
    const overlay = new Overlay(pane, leave);
    this.#canvas = overlay.canvas;
    this.#ring = overlay.mark("circle");
    this.#path = overlay.mark("polyline");
    overlay.listen("pointerdown", (event) => this.#press(event));
    overlay.listen("pointermove", (event) => this.#move(event));
    overlay.listen("pointerup", (event) => this.#release(event));
    overlay.listen("pointercancel", () => this.#end());
    overlay.listen("dblclick", (event) => this.#double(event));
    pane.element.addEventListener("pointerleave", () => this.#hover(undefined), { signal: leave });
  }

  /** Close the lasso that is being drawn; whether there was one. */
  close(): boolean {
    const corners = this.#corners;
    const { tool } = this.editor;
    if (!corners.length || (tool !== "add" && tool !== "cut")) return false;
    this.#corners = [];
    if (corners.length > 2) {
      this.editor.lasso({ ...this.pane.plane, at: this.#slice }, corners, tool === "cut");
    }
    this.draw();
    return true;
  }

  /** Drop the lasso that is being drawn; whether there was one. */
  drop(): boolean {
    const had = this.#corners.length > 0;
    this.#corners = [];
    this.draw();
    return had;
  }

  /** Show the brush's ring and the lasso where they are now. */
  draw(): void {
    const { pane, editor } = this;
    const { at, viewports } = pane.store.value;
    if (this.#corners.length && at[pane.axis] !== this.#slice) this.#corners = [];
    const drawing = editor.tool === "brush" || editor.tool === "eraser";
    this.#canvas.classList.toggle("drawn-on", editor.tool !== "none");
    const ratio = this.#canvas.width / this.#canvas.clientWidth;
    const pointer = this.#pointer;
    this.#ring.style.display = drawing && pointer ? "" : "none";
    if (drawing && pointer) {
      const scale = (fitScale(pane.plane, pane.volume, this.#canvas) * viewports[pane.axis].zoom) / ratio;
      const { left, top } = this.#canvas.getBoundingClientRect();
      this.#ring.setAttribute("cx", String(pointer.clientX - left));
      this.#ring.setAttribute("cy", String(pointer.clientY - top));
      this.#ring.setAttribute("r", String(Math.max(1, editor.radius * scale)));
    }
    const matrix = indexToCanvas(pane.plane, pane.volume, viewports[pane.axis], this.#canvas);
    const places = this.#corners.map((corner) => transform(matrix, ...corner).map((part) => part / ratio));
    this.#path.setAttribute("points", places.map((place) => place.join(",")).join(" "));
  }

  #press(event: PointerEvent): void {
    const { tool, active } = this.editor;
    if (tool === "none" || !active || event.button !== 0 || event.shiftKey) return;
    event.stopPropagation();
    event.preventDefault();
    this.#canvas.setPointerCapture(event.pointerId);
    this.pane.focus();
    const index = this.#index(event);
    this.#travelled = 0;
    this.#pointer = event;
    if (tool === "add" || tool === "cut") {
      this.#slice = index[this.pane.axis];
      this.#corners.push(this.#corner(index));
      this.draw();
    } else {
      this.editor.begin(tool === "eraser");
      this.#paint(index, index);
    }
  }

  #move(event: PointerEvent): void {
    const before = this.#pointer;
    this.#hover(event);
    if (this.editor.tool === "none" || !(event.buttons & 1)) return;
    if (this.#last) {
      event.stopPropagation();
      this.#paint(this.#last, this.#index(event));
    } else if (this.#corners.length && before) {
      event.stopPropagation();
      const far = Math.hypot(event.clientX - before.clientX, event.clientY - before.clientY);
      if (far < APART) {
        this.#pointer = before;
        return;
      }
      this.#travelled += far;
      this.#corners.push(this.#corner(this.#index(event)));
      this.draw();
    }
  }

  #release(event: PointerEvent): void {
    if (!this.#last && !this.#corners.length) return;
    event.stopPropagation();
    this.#end();
    if (this.#travelled > IN_ONE_GO) this.close();
  }

  #end(): void {
    if (!this.#last) return;
    const { axis } = this.pane;
    this.editor.end(axis === 0 ? this.#last[0] : undefined);
    this.#last = undefined;
  }

  #double(event: Event): void {
    if (this.editor.tool === "none") return;
    event.stopPropagation();
    this.close();
  }

  #paint(from: Vec3, to: Vec3): void {
    this.editor.brush(from, to, this.pane.axis);
    this.#last = to;
    if (this.#awaited) return;
    this.#awaited = true;
    requestAnimationFrame(() => {
      this.#awaited = false;
      this.editor.refresh();
    });
  }

  #hover(event: PointerEvent | undefined): void {
    this.#pointer = event;
    this.draw();
  }

  #index(event: PointerEvent): Vec3 {
    const { left, top, width } = this.#canvas.getBoundingClientRect();
    const ratio = this.#canvas.width / width;
    return this.pane.indexAt((event.clientX - left) * ratio, (event.clientY - top) * ratio);
  }

  #corner(index: Vec3): Corner {
    return [index[this.pane.plane.across], index[this.pane.plane.down]];
  }
}
