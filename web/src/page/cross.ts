/** The crosshair, over the picture of a plane: moved by other planes, it leaves that as it is. */

import type { Vec3 } from "../imaging/affine";
import type { Plane } from "../imaging/orientation";
import { type Matrix, type Size, transform } from "../imaging/viewport";
import type { Header } from "../imaging/volume";
import { SVG } from "./dom";
import type { ViewState } from "./store";

export type Line = readonly [number, number, number, number];

/** Around a place that stays free, so far from it in the screen's pixels. */
const GAP = 14;

/** Lines through the place of the crosshair as far as the slice reaches, in canvas pixels. */
export function crossLines(matrix: Matrix, ratio: number, plane: Plane, { shape }: Header, at: Vec3): Line[] {
  const [n, m] = [shape[plane.across], shape[plane.down]];
  const [x, y] = [at[plane.across], at[plane.down]];
  const [gap, gapDown] = [(GAP * ratio) / Math.hypot(matrix[0], matrix[1]), (GAP * ratio) / Math.hypot(matrix[2], matrix[3])];
  const lines: Line[] = [
    [-0.5, y, x - gap, y],
    [x + gap, y, n - 0.5, y],
    [x, -0.5, x, y - gapDown],
    [x, y + gapDown, x, m - 0.5],
  ];
  return lines
    .filter(([x0, y0, x1, y1]) => x1 >= x0 && y1 >= y0)
    .map(([x0, y0, x1, y1]) => [...transform(matrix, x0, y0), ...transform(matrix, x1, y1)]);
}

export class Cross {
  readonly element = document.createElementNS(SVG, "svg");
  readonly #path = document.createElementNS(SVG, "path");
  #lines: readonly Line[] = [];

  constructor(
    readonly header: Header,
    readonly plane: Plane,
  ) {
    this.element.classList.add("cross");
    this.element.setAttribute("aria-hidden", "true");
    this.element.append(this.#path);
  }

  draw({ width, height }: Size, matrix: Matrix, ratio: number, { crosshair, at }: ViewState): void {
    const shown = crosshair && this.header.shape[0] > 1;
    this.#lines = shown ? crossLines(matrix, ratio, this.plane, this.header, at) : [];
    this.element.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#path.setAttribute("stroke-width", String(ratio));
    this.#path.setAttribute("d", this.#lines.map(([x, y, u, v]) => `M${x} ${y}L${u} ${v}`).join(""));
  }

  /** Onto a picture, whose upper left corner is at a place of the plane's canvas. */
  stroke(context: CanvasRenderingContext2D, left: number, top: number, ratio: number): void {
    context.strokeStyle = getComputedStyle(this.#path).stroke;
    context.lineWidth = ratio;
    context.beginPath();
    for (const [x, y, u, v] of this.#lines) {
      context.moveTo(left + x, top + y);
      context.lineTo(left + u, top + v);
    }
    context.stroke();
  }
}
