/** Directions and extent of a volume in the patient, for the view in three dimensions. */

import type { Vec3 } from "./affine";
import { toWorld, type Volume } from "./volume";

/** Ends of the patient that it can be seen from. */
export type From = "A" | "P" | "L" | "R" | "S" | "I";

/**
 * Where the eye is, in LPS.
 *
 * The head is on top; from the head and from the feet the front is, as on axial slices: the eye
 * stands a little aside, so that it is told which way is up.
 */
export const DIRECTIONS: Readonly<Record<From, Vec3>> = {
  A: [0, -1, 0],
  P: [0, 1, 0],
  L: [1, 0, 0],
  R: [-1, 0, 0],
  S: [0, 1e-4, 1],
  I: [0, -1e-4, -1],
};

/** The eight corners of a volume, outer edges of its samples, in the world. */
export function corners(volume: Pick<Volume, "shape" | "affine">): Vec3[] {
  const ends = volume.shape.map((count) => [-0.5, count - 0.5] as const);
  return ends[0]!.flatMap((k) =>
    ends[1]!.flatMap((r) => ends[2]!.map((c) => toWorld(volume as Volume, [k, r, c]))),
  );
}
