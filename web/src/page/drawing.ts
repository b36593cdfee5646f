/** Outlines, marks, crosshair and ruler on a canvas. */

import { boxMeets, type Item, type Layer } from "../imaging/layer";
import type { Plane } from "../imaging/orientation";
import { type Ring, section } from "../imaging/outline";
import { type Matrix, rulerLength, transform } from "../imaging/viewport";
import { t } from "./texts";

/** What is drawn on: a canvas, where indices lie on it, and its pixels for each of the screen's. */
export interface Ground {
  readonly context: CanvasRenderingContext2D;
  readonly matrix: Matrix;
  readonly ratio: number;
}

export interface Shape {
  readonly outline: Path2D;
  readonly area: Path2D;
}

const HALO = "rgba(0, 0, 0, 0.65)";

/** Outline and area of a layer on one slice of a plane, in indices; nothing where it is not. */
export function shapeOf(layer: Layer, plane: Plane, at: number): Shape | undefined {
  const { axis, across, down } = plane;
  if (axis === 0) {
    const rings = layer.rings.get(at);
    if (!rings) return undefined;
    const path = new Path2D();
    for (const ring of rings) trace(path, ring, across === 2);
    return { outline: path, area: path };
  }
  const { bars, edges } = section(layer.rings, axis === 1 ? "row" : "column", at);
  if (!bars.length) return undefined;
  const place = (slice: number, along: number): [number, number] =>
    across === 0 ? [slice, along] : [along, slice];
  const [outline, area] = [new Path2D(), new Path2D()];
  for (const [s, p, t, q] of edges) {
    outline.moveTo(...place(s, p));
    outline.lineTo(...place(t, q));
  }
  for (const [slice, start, end] of bars) {
    const [x, y] = place(slice - 0.5, start);
    area.rect(x, y, across === 0 ? 1 : end - start, down === 0 ? 1 : end - start);
  }
  return { outline, area };
}

/** Brings paths from indices to the canvas. */
export function movedBy(matrix: Matrix): (path: Path2D) => Path2D {
  const toCanvas = new DOMMatrix([...matrix]);
  return (path) => {
    const result = new Path2D();
    result.addPath(path, toCanvas);
    return result;
  };
}

/** Points and boxes on one slice of the array's first axis, in canvas pixels. */
export function marksOf(layer: Layer, plane: Plane, slice: number, { matrix, ratio }: Ground): Path2D {
  const { across, down } = plane;
  const path = new Path2D();
  for (const box of layer.boxes) {
    if (!boxMeets(box, slice)) continue;
    const corners: [number, number][] = [
      [box.low[across], box.low[down]],
      [box.high[across], box.low[down]],
      [box.high[across], box.high[down]],
      [box.low[across], box.high[down]],
    ];
    corners.forEach(([x, y], i) => {
      const place = transform(matrix, x, y);
      if (i) path.lineTo(...place);
      else path.moveTo(...place);
    });
    path.closePath();
  }
  for (const point of layer.points) {
    if (Math.round(point[0]) !== slice) continue;
    const [x, y] = transform(matrix, point[across], point[down]);
    path.moveTo(x + 5 * ratio, y);
    path.arc(x, y, 5 * ratio, 0, 2 * Math.PI);
  }
  return path;
}

/** A mark around the one item that was gone to, at least so large that it is seen. */
export function drawChosen(ground: Ground, plane: Plane, { low, high }: Item): void {
  const { context, matrix, ratio } = ground;
  const corners = [low, high].map((corner) => transform(matrix, corner[plane.across], corner[plane.down]));
  const [[x0, y0], [x1, y1]] = corners as [[number, number], [number, number]];
  const margin = 9 * ratio;
  const [left, top] = [Math.min(x0, x1) - margin, Math.min(y0, y1) - margin];
  const path = new Path2D();
  path.roundRect(left, top, Math.abs(x1 - x0) + 2 * margin, Math.abs(y1 - y0) + 2 * margin, 5 * ratio);
  context.lineWidth = 5 * ratio;
  context.strokeStyle = HALO;
  context.stroke(path);
  context.lineWidth = 2 * ratio;
  context.strokeStyle = "#fff";
  context.stroke(path);
}

/** The line between source and restored image, or two others, with their names at its sides. */
export function drawDivider(
  { context, ratio }: Ground,
  x: number,
  [left, right]: readonly [string, string] = [t("restored.source"), t("restored.restored")],
): void {
  const { height } = context.canvas;
  context.fillStyle = "#fff";
  context.fillRect(x - ratio, 0, 2 * ratio, height);
  context.font = `600 ${12 * ratio}px system-ui, sans-serif`;
  context.textBaseline = "bottom";
  context.lineWidth = 3 * ratio;
  context.strokeStyle = HALO;
  for (const [name, align, away] of [[left, "right", -8], [right, "left", 8]] as const) {
    context.textAlign = align;
    context.strokeText(name, x + away * ratio, height - 34 * ratio);
    context.fillText(name, x + away * ratio, height - 34 * ratio);
  }
}

/** A bar of a round length at the lower right; `scale` is canvas pixels for each unit. */
export function drawRuler({ context, ratio }: Ground, scale: number, unit: string): void {
  const { width, height } = context.canvas;
  const length = rulerLength(scale, width * 0.3);
  const [right, bottom] = [width - 14 * ratio, height - 14 * ratio];
  const left = right - length * scale;
  const bar = new Path2D();
  bar.moveTo(left, bottom - 5 * ratio);
  bar.lineTo(left, bottom);
  bar.lineTo(right, bottom);
  bar.lineTo(right, bottom - 5 * ratio);
  const label = `${length} ${unit}`;
  context.font = `${11 * ratio}px system-ui, sans-serif`;
  context.textAlign = "right";
  context.textBaseline = "bottom";
  context.lineJoin = "round";
  for (const [style, line] of [[HALO, 3], ["#d5dae1", 1.25]] as const) {
    context.strokeStyle = style;
    context.lineWidth = line * ratio;
    context.stroke(bar);
    if (style === HALO) context.strokeText(label, right, bottom - 6 * ratio);
  }
  context.fillStyle = "#d5dae1";
  context.fillText(label, right, bottom - 6 * ratio);
}

function trace(path: Path2D, { points }: Ring, columnsAcross: boolean): void {
  for (let i = 0; i < points.length; i += 2) {
    const [row, column] = [points[i]!, points[i + 1]!];
    const [x, y] = columnsAcross ? [column, row] : [row, column];
    if (i) path.lineTo(x, y);
    else path.moveTo(x, y);
  }
  path.closePath();
}

/** Strokes are made in canvas pixels, so that they are as wide in one direction as in the other. */
export function strokeOutline({ context, ratio }: Ground, path: Path2D, layer: Layer): void {
  context.lineJoin = "bevel"; // round ones cost much where outlines follow the edges of samples
  context.lineWidth = 3.5 * ratio;
  context.strokeStyle = HALO;
  context.setLineDash([]);
  context.stroke(path);
  context.lineWidth = 1.6 * ratio;
  context.strokeStyle = layer.colour;
  context.setLineDash(layer.dash.map((part) => part * ratio));
  context.stroke(path);
  context.setLineDash([]);
}
