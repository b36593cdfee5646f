/** Contours on the array's grid, and where planes across the slices cut them. */

import { type Affine, apply, type Vec3 } from "./affine";

export interface Ring {
  readonly slice: number;
  readonly hole: boolean;
  /** `row, column, row, column, ...` in indices, sample centres at whole numbers. */
  readonly points: Float32Array;
  /** Lowest and highest row and column. */
  readonly rows: readonly [number, number];
  readonly columns: readonly [number, number];
}

/** Bring one contour from the world onto the grid. */
export function toRing(
  contour: { readonly slice: number; readonly hole: boolean; readonly points: readonly Vec3[] },
  inverse: Affine,
): Ring {
  const points = new Float32Array(contour.points.length * 2);
  let [r0, r1, c0, c1] = [Infinity, -Infinity, Infinity, -Infinity];
  contour.points.forEach((point, i) => {
    const [, row, column] = apply(inverse, point);
    points[2 * i] = row;
    points[2 * i + 1] = column;
    r0 = Math.min(r0, row);
    r1 = Math.max(r1, row);
    c0 = Math.min(c0, column);
    c1 = Math.max(c1, column);
  });
  return { slice: contour.slice, hole: contour.hole, points, rows: [r0, r1], columns: [c0, c1] };
}

/**
 * Where the line `row = at` (or `column = at`) is inside of one slice's rings.
 *
 * Returns `start, end, start, end, ...` along the other axis, ascending; holes are left out by
 * the even-odd rule.
 */
export function intervals(rings: readonly Ring[], along: "row" | "column", at: number): number[] {
  const [same, other] = along === "row" ? [0, 1] : [1, 0];
  const crossings: number[] = [];
  for (const { points, rows, columns } of rings) {
    const [low, high] = along === "row" ? rows : columns;
    if (at < low || at > high) continue;
    const n = points.length;
    for (let i = 0; i < n; i += 2) {
      const j = (i + 2) % n;
      const [p, q] = [points[i + same]!, points[j + same]!];
      if (p <= at !== q <= at) {
        const [u, v] = [points[i + other]!, points[j + other]!];
        crossings.push(u + ((at - p) / (q - p)) * (v - u));
      }
    }
  }
  return crossings.sort((a, b) => a - b);
}

/** What is in exactly one of two sets of intervals. */
export function difference(a: readonly number[], b: readonly number[]): number[] {
  const ends = [...a, ...b].sort((p, q) => p - q);
  const result: number[] = [];
  for (const end of ends) {
    if (result[result.length - 1] === end) result.pop();
    else result.push(end);
  }
  return result;
}

export interface Section {
  /** `slice, start, end` of each filled bar, one slice thick. */
  readonly bars: readonly Vec3[];
  /** `[slice, position, slice, position]` of each piece of the outline. */
  readonly edges: readonly (readonly [number, number, number, number])[];
}

/** Cut slices of rings with a plane across them; the outline follows the edges between samples. */
export function section(
  slices: ReadonlyMap<number, readonly Ring[]>,
  along: "row" | "column",
  at: number,
): Section {
  const cut = new Map<number, number[]>();
  for (const [slice, rings] of slices) {
    const found = intervals(rings, along, at);
    if (found.length) cut.set(slice, found);
  }
  const bars: Vec3[] = [];
  const edges: [number, number, number, number][] = [];
  const between = (upper: number, a: readonly number[], b: readonly number[]) => {
    const ends = difference(a, b);
    for (let i = 0; i + 1 < ends.length; i += 2) {
      edges.push([upper + 0.5, ends[i]!, upper + 0.5, ends[i + 1]!]);
    }
  };
  for (const [slice, ends] of cut) {
    for (let i = 0; i + 1 < ends.length; i += 2) bars.push([slice, ends[i]!, ends[i + 1]!]);
    for (const end of ends) edges.push([slice - 0.5, end, slice + 0.5, end]);
    between(slice, ends, cut.get(slice + 1) ?? []);
    if (!cut.has(slice - 1)) between(slice - 1, [], ends);
  }
  return { bars, edges };
}
