/** Affine maps from array indices `(slice, row, column)` to the world, LPS millimetres or pixels. */

export type Vec3 = readonly [number, number, number];

/** 16 numbers, row by row. */
export type Affine = readonly number[];

export function apply(affine: Affine, [a, b, c]: Vec3): Vec3 {
  const row = (r: number) =>
    affine[4 * r]! * a + affine[4 * r + 1]! * b + affine[4 * r + 2]! * c + affine[4 * r + 3]!;
  return [row(0), row(1), row(2)];
}

/** The step in the world that one step along an array axis takes. */
export function step(affine: Affine, axis: number): Vec3 {
  return [affine[axis]!, affine[4 + axis]!, affine[8 + axis]!];
}

export function invert(affine: Affine): Affine {
  const [a, b, c] = [step(affine, 0), step(affine, 1), step(affine, 2)];
  const volume = dot(a, cross(b, c));
  if (!Number.isFinite(volume) || volume === 0) {
    throw new Error("expected an affine that can be inverted, got a singular one");
  }
  const origin: Vec3 = [affine[3]!, affine[7]!, affine[11]!];
  const rows = [cross(b, c), cross(c, a), cross(a, b)].map((row) => scale(row, 1 / volume));
  return [...rows.flatMap((row) => [...row, -dot(row, origin)]), 0, 0, 0, 1];
}

export function dot(a: Vec3, b: Vec3): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

export function cross(a: Vec3, b: Vec3): Vec3 {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

export function sub(a: Vec3, b: Vec3): Vec3 {
  return [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
}

export function scale(a: Vec3, factor: number): Vec3 {
  return [a[0] * factor, a[1] * factor, a[2] * factor];
}

export function norm(a: Vec3): number {
  return Math.hypot(...a);
}

export function unit(a: Vec3): Vec3 {
  return scale(a, 1 / norm(a));
}
