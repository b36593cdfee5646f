/** How the samples of a restored image lie on those of its source. */

import { type Affine, apply, step } from "./affine";
import type { Axis, Plane } from "./orientation";
import type { Header, Volume } from "./volume";

/**
 * Along array axis `a` of the source, index `i` is index `scale[a] * i + offset[a]` along axis
 * `axes[a]` of the other.
 */
export interface Alignment {
  readonly axes: readonly [Axis, Axis, Axis];
  readonly scale: readonly number[];
  readonly offset: readonly number[];
}

const OBLIQUE = 1e-3;

/** Nothing where their axes are not parallel, or their units differ. */
export function align(source: Volume, other: Volume): Alignment | undefined {
  if (source.unit !== other.unit) return undefined;
  const matrix = product(other.inverse, source.affine);
  const axes: Axis[] = [];
  const scales: number[] = [];
  for (const a of [0, 1, 2] as const) {
    const along = step(matrix, a);
    const axis = ([0, 1, 2] as const).reduce((best, b) =>
      Math.abs(along[b]) > Math.abs(along[best]) ? b : best,
    );
    const most = Math.abs(along[axis]);
    if (along.some((part, b) => b !== axis && Math.abs(part) > OBLIQUE * most)) return undefined;
    axes.push(axis);
    scales.push(along[axis]);
  }
  if (new Set(axes).size < 3) return undefined;
  const origin = apply(matrix, [0, 0, 0]);
  return {
    axes: axes as unknown as Alignment["axes"],
    scale: scales,
    offset: axes.map((axis) => origin[axis]),
  };
}

/** A plane of the source as one of the other; only its axes count. */
export function planeIn({ axes }: Alignment, plane: Plane): Plane {
  return {
    ...plane,
    axis: axes[plane.axis],
    across: axes[plane.across],
    down: axes[plane.down],
  };
}

/** The other's sample that holds the centre of the source's along one axis. */
export function indexIn({ axes, scale, offset }: Alignment, other: Header, axis: Axis, at: number): number {
  const last = other.shape[axes[axis]] - 1;
  // At the border of two samples, as with twice as many slices, the first of them.
  return Math.max(0, Math.min(last, Math.ceil(scale[axis]! * at + offset[axis]! - 0.5 - 1e-6)));
}

/** As a canvas takes it: from the other's `(across, down)` indices to the source's. */
export function toSource(
  { scale, offset }: Alignment,
  plane: Plane,
): readonly [number, number, number, number, number, number] {
  const [sx, sy] = [scale[plane.across]!, scale[plane.down]!];
  return [1 / sx, 0, 0, 1 / sy, -offset[plane.across]! / sx, -offset[plane.down]! / sy];
}

function product(a: Affine, b: Affine): Affine {
  return Array.from({ length: 16 }, (_, i) => {
    const [row, column] = [i >> 2, i & 3];
    return [0, 1, 2, 3].reduce((sum, k) => sum + a[4 * row + k]! * b[4 * k + column]!, 0);
  });
}
