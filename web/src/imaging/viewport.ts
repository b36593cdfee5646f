/** From array indices to the pixels of a canvas: fit, zoom and pan. */

import type { Header } from "./volume";
import type { Plane } from "./orientation";

/** `[a, b, c, d, e, f]` as a canvas takes it: `x' = a x + c y + e`, `y' = b x + d y + f`. */
export type Matrix = readonly [number, number, number, number, number, number];

export interface Viewport {
  /** 1 fits the whole slice. */
  readonly zoom: number;
  /** Shift of the slice's centre from the canvas's, in millimetres (or picture pixels). */
  readonly x: number;
  readonly y: number;
}

export const FITTED: Viewport = { zoom: 1, x: 0, y: 0 };

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Canvas pixels for each millimetre (or picture pixel) at zoom 1. */
export function fitScale(plane: Plane, header: Header, canvas: Size): number {
  const [a, b, c, d] = plane.millimetres;
  const [n, m] = [header.shape[plane.across], header.shape[plane.down]];
  const width = Math.abs(a) * n + Math.abs(c) * m;
  const height = Math.abs(b) * n + Math.abs(d) * m;
  return Math.min(canvas.width / width, canvas.height / height);
}

/** Map `(across, down)` indices, sample centres at whole numbers, to the canvas. */
export function indexToCanvas(plane: Plane, header: Header, view: Viewport, canvas: Size): Matrix {
  const scale = fitScale(plane, header, canvas) * view.zoom;
  const [a, b, c, d] = plane.millimetres.map((part) => part * scale) as [
    number,
    number,
    number,
    number,
  ];
  const x = (header.shape[plane.across] - 1) / 2;
  const y = (header.shape[plane.down] - 1) / 2;
  return [
    a,
    b,
    c,
    d,
    canvas.width / 2 + view.x * scale - a * x - c * y,
    canvas.height / 2 + view.y * scale - b * x - d * y,
  ];
}

export function transform([a, b, c, d, e, f]: Matrix, x: number, y: number): [number, number] {
  return [a * x + c * y + e, b * x + d * y + f];
}

export function inverseMatrix([a, b, c, d, e, f]: Matrix): Matrix {
  const det = a * d - b * c;
  return [d / det, -b / det, -c / det, a / det, (c * f - d * e) / det, (b * e - a * f) / det];
}

/** Zoom by a factor and leave the canvas place `x`, `y` where it is; `fit` is that of `fitScale`. */
export function zoomAt(
  view: Viewport,
  factor: number,
  x: number,
  y: number,
  canvas: Size,
  fit: number,
): Viewport {
  const zoom = Math.max(0.5, Math.min(40, view.zoom * factor));
  const gain = (1 / zoom - 1 / view.zoom) / fit;
  return { zoom, x: view.x + (x - canvas.width / 2) * gain, y: view.y + (y - canvas.height / 2) * gain };
}

/** Move the picture by canvas pixels. */
export function moved(view: Viewport, dx: number, dy: number, fit: number): Viewport {
  const scale = fit * view.zoom;
  return { ...view, x: view.x + dx / scale, y: view.y + dy / scale };
}

/** A round length for a scale bar of at most `limit` canvas pixels: 1, 2 or 5 times a power of 10. */
export function rulerLength(pixelsPerUnit: number, limit: number): number {
  const most = limit / pixelsPerUnit;
  const power = 10 ** Math.floor(Math.log10(most));
  return power * ([5, 2, 1].find((part) => part * power <= most) ?? 1);
}

/** The view with a canvas place moved to its middle, unless the whole slice is seen anyway. */
export function centredOn(view: Viewport, x: number, y: number, canvas: Size, fit: number): Viewport {
  if (view.zoom <= 1) return view;
  return moved(view, canvas.width / 2 - x, canvas.height / 2 - y, fit);
}
