import { expect, test } from "vitest";
import type { Affine } from "../src/imaging/affine";
import { align, indexIn, planeIn, toSource } from "../src/imaging/alignment";
import { planeOf } from "../src/imaging/orientation";
import { transform } from "../src/imaging/viewport";
import { emptyVolume, toWorld, type Volume } from "../src/imaging/volume";

/** Steps along slice, row and column are columns of the affine. */
const grid = (slice: number[], row: number[], column: number[], origin: number[]): Affine =>
  [0, 1, 2].flatMap((r) => [slice[r]!, row[r]!, column[r]!, origin[r]!]).concat([0, 0, 0, 1]);
const volume = (shape: [number, number, number], affine: Affine, unit = "mm"): Volume =>
  emptyVolume({ shape, channels: 1, dtype: "uint8", affine, unit, modality: "CT" });

const source = volume([4, 6, 5], grid([0, 0, 3], [0, 2, 0], [1, 0, 0], [-7, 5, 11]));
// Half the spacing within slices; the first finer sample lies a quarter of the old step before.
const finer = volume([4, 12, 10], grid([0, 0, 3], [0, 1, 0], [0.5, 0, 0], [-7.25, 4.5, 11]));
// The same with axes in another order and the rows from the other end.
const turned = volume([10, 4, 12], grid([0.5, 0, 0], [0, 0, 3], [0, -1, 0], [-7.25, 15.5, 11]));

test.each([finer, turned])("the same place is the same place in both", (other) => {
  const alignment = align(source, other)!;
  for (const index of [[0, 0, 0], [3, 5, 4], [1, 2.5, 3.25]] as const) {
    const there = [0, 0, 0];
    index.forEach((i, a) => (there[alignment.axes[a]!] = alignment.scale[a]! * i + alignment.offset[a]!));
    const [p, q] = [toWorld(source, index), toWorld(other, there as unknown as typeof index)];
    p.forEach((part, axis) => expect(q[axis]).toBeCloseTo(part));
  }
});

test.each([finer, turned])("a finer picture is laid on its source", (other) => {
  const alignment = align(source, other)!;
  const plane = planeOf(source.affine, 0, "mm");
  const inner = planeIn(alignment, plane);
  const matrix = toSource(alignment, plane);
  const corners: [number, number][] = [[-0.5, -0.5], [other.shape[inner.across] - 0.5, other.shape[inner.down] - 0.5]];
  const found = corners.map(([x, y]) => transform(matrix, x, y));
  const across = found.map(([x]) => x).sort((a, b) => a - b);
  const down = found.map(([, y]) => y).sort((a, b) => a - b);
  expect(across[0]).toBeCloseTo(-0.5);
  expect(across[1]).toBeCloseTo(source.shape[plane.across] - 0.5);
  expect(down[0]).toBeCloseTo(-0.5);
  expect(down[1]).toBeCloseTo(source.shape[plane.down] - 0.5);
});

test("slices are counted along, and never beyond the end", () => {
  const alignment = align(source, finer)!;
  expect([0, 3].map((at) => indexIn(alignment, finer, 0, at))).toEqual([0, 3]);
  expect([0, 1, 5].map((at) => indexIn(alignment, finer, 1, at))).toEqual([0, 2, 10]);
});

test("what lies askew, or in other units, is not laid on it", () => {
  const tilted = volume([4, 6, 5], grid([0, 0.3, 3], [0, 2, 0], [1, 0, 0], [0, 0, 0]));
  expect(align(source, tilted)).toBeUndefined();
  expect(align(source, volume([4, 6, 5], source.affine, "px"))).toBeUndefined();
});
