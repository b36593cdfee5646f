/** What lies over a pane while somebody edits, and the pointer that is taken from it. */

import type { Pane } from "../page/pane";

const SVG = "http://www.w3.org/2000/svg";

type PointerKind = "pointerdown" | "pointermove" | "pointerup" | "pointercancel";

export class Overlay {
  readonly canvas: HTMLCanvasElement;
  readonly #marks = document.createElementNS(SVG, "svg");

  constructor(
    readonly pane: Pane,
    readonly leave: AbortSignal,
  ) {
    this.canvas = pane.element.querySelector<HTMLCanvasElement>("canvas[tabindex]")!;
    this.#marks.classList.add("edit-marks");
    this.#marks.setAttribute("aria-hidden", "true");
    pane.element.append(this.#marks);
    leave.addEventListener("abort", () => {
      this.#marks.remove();
      this.canvas.classList.remove("drawn-on");
    });
  }

  /** Add a shape that lies over the picture. */
  mark(name: "circle" | "polyline" | "rect"): SVGElement {
    const element = document.createElementNS(SVG, name);
    this.#marks.append(element);
    return element;
  }

  /** Hear of the pointer before the canvas does: on the pane, on the way down. */
  listen(type: PointerKind | "dblclick", act: (event: PointerEvent) => void): void {
    const heard = (event: Event) => event.target === this.canvas && act(event as PointerEvent);
    this.pane.element.addEventListener(type, heard, { capture: true, signal: this.leave });
  }
}
