/** Several slices as one picture: the highest, lowest or mean of the samples behind each other. */

import type { Vec3 } from "./affine";
import { cross, dot, norm, step } from "./affine";
import type { Axis, Plane } from "./orientation";
import { type Header, strides, type Volume } from "./volume";
import type { Window } from "./window";

/** Maximum, minimum and mean intensity projection. */
export type Projection = "max" | "min" | "mean";

export interface Slab {
  /** `none` shows the one slice. */
  readonly projection: Projection | "none";
  readonly thickness_mm: number;
}

/** First and last slice, both included. */
export type Reach = readonly [number, number];

/** From the middle of one slice of an axis to that of the next, at right angles to the slices. */
export function sliceDistance({ affine }: Header, axis: Axis): number {
  const [one, other] = ([0, 1, 2] as const).filter((each) => each !== axis) as [Axis, Axis];
  const normal = cross(step(affine, one), step(affine, other));
  return Math.abs(dot(step(affine, axis), normal)) / norm(normal);
}

/**
 * Slices that a slab around `at` takes in: as many as come nearest to its thickness, at least one.
 *
 * Of an even number one more lies before `at` than after it; the slab ends where the volume does.
 */
export function reachOf(header: Header, axis: Axis, at: number, slab: Slab): Reach {
  if (slab.projection === "none") return [at, at];
  const count = Math.max(1, Math.round(slab.thickness_mm / sliceDistance(header, axis)));
  const first = at - Math.floor(count / 2);
  return [Math.max(0, first), Math.min(header.shape[axis] - 1, first + count - 1)];
}

/**
 * Project the slices of one plane along its array axis, as opaque grey RGBA.
 *
 * Along the array axis means at right angles to the plane but on sheared grids (gantry tilt), where
 * it is along the tilted axis. `pixels` as for `paintSlice`; the volume has one channel.
 */
export function paintSlab(
  volume: Volume,
  plane: Plane,
  [first, last]: Reach,
  projection: Projection,
  window: Window,
  pixels: Uint32Array,
): void {
  const { samples, shape } = volume;
  const steps = strides(volume);
  const [width, height] = [shape[plane.across], shape[plane.down]];
  const [dx, dy, dz] = [steps[plane.across], steps[plane.down], steps[plane.axis]];
  const low = window.centre - window.width / 2;
  const gain = 255 / window.width;
  const line = new Float32Array(width);
  const share = projection === "mean" ? 1 / (last - first + 1) : 1;
  for (let y = 0, target = 0; y < height; y++) {
    for (let slice = first; slice <= last; slice++) {
      let from = slice * dz + y * dy;
      if (slice === first) for (let x = 0; x < width; x++, from += dx) line[x] = samples[from]!;
      else if (projection === "mean") for (let x = 0; x < width; x++, from += dx) line[x]! += samples[from]!;
      else if (projection === "max") {
        for (let x = 0; x < width; x++, from += dx) if (samples[from]! > line[x]!) line[x] = samples[from]!;
      } else {
        for (let x = 0; x < width; x++, from += dx) if (samples[from]! < line[x]!) line[x] = samples[from]!;
      }
    }
    for (let x = 0; x < width; x++) {
      const level = (line[x]! * share - low) * gain;
      pixels[target++] = 0xff000000 | ((level <= 0 ? 0 : level >= 255 ? 255 : (level + 0.5) | 0) * 0x010101);
    }
  }
}

/** What a slab shows at an index, as a number; nothing outside of the volume. */
export function projectedAt(
  volume: Volume,
  index: Vec3,
  axis: Axis,
  [first, last]: Reach,
  projection: Projection,
): number | undefined {
  const steps = strides(volume);
  let start = 0;
  for (const other of [0, 1, 2] as const) {
    if (other === axis) continue;
    const place = Math.round(index[other]);
    if (place < 0 || place >= volume.shape[other]) return undefined;
    start += place * steps[other];
  }
  const values = Array.from({ length: last - first + 1 }, (_, i) => Number(volume.samples[start + (first + i) * steps[axis]]));
  if (projection === "mean") return values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.reduce((one, other) => Math[projection](one, other));
}
