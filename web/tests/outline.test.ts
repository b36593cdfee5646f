import { expect, test } from "vitest";
import type { Vec3 } from "../src/imaging/affine";
import { difference, intervals, type Ring, section, toRing } from "../src/imaging/outline";

const IDENTITY = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];

function box(slice: number, r0: number, c0: number, r1: number, c1: number, hole = false): Ring {
  const points: Vec3[] = [[slice, r0, c0], [slice, r0, c1], [slice, r1, c1], [slice, r1, c0]];
  return toRing({ slice, hole, points }, IDENTITY);
}

test("a ring comes from the world onto the grid", () => {
  const inverse = [0, 0, 0.2, 0, 0, 0.5, 0, 1, 0.25, 0, 0, 2, 0, 0, 0, 1];
  const ring = toRing({ slice: 3, hole: false, points: [[4, 6, 15], [8, 6, 15], [8, 10, 15]] }, inverse);
  expect([...ring.points]).toEqual([4, 3, 4, 4, 6, 4]);
  expect(ring.rows).toEqual([4, 6]);
  expect(ring.columns).toEqual([3, 4]);
});

/*
 *        column 0 1 2 3 4 5
 *   row 0       . . . . . .
 *   row 1       . # # # # .
 *   row 2       . # . . # .     the two holes are one ring
 *   row 3       . # # # # .
 */
const WITH_HOLE = [box(0, 0.5, 0.5, 3.5, 4.5), box(0, 1.5, 1.5, 2.5, 3.5, true)];

test("a line is inside between its crossings, holes left out", () => {
  expect(intervals(WITH_HOLE, "row", 1)).toEqual([0.5, 4.5]);
  expect(intervals(WITH_HOLE, "row", 2)).toEqual([0.5, 1.5, 3.5, 4.5]);
  expect(intervals(WITH_HOLE, "column", 4)).toEqual([0.5, 3.5]);
  expect(intervals(WITH_HOLE, "column", 5)).toEqual([]);
});

test("the difference of intervals is where one of them is alone", () => {
  expect(difference([0, 4], [1, 2])).toEqual([0, 1, 2, 4]);
  expect(difference([0, 4], [0, 4])).toEqual([]);
  expect(difference([0, 4], [0, 5])).toEqual([4, 5]);
  expect(difference([], [1, 2])).toEqual([1, 2]);
});

test("a section is bars one slice thick with an outline around their union", () => {
  const slices = new Map([
    [5, [box(5, 0, 0.5, 4, 2.5)]],
    [6, [box(6, 0, 0.5, 4, 4.5)]],
  ]);
  const { bars, edges } = section(slices, "row", 2);
  expect(bars).toEqual([[5, 0.5, 2.5], [6, 0.5, 4.5]]);
  const length = edges.reduce((sum, [s, p, t, q]) => sum + Math.hypot(t - s, q - p), 0);
  expect(length).toBe(2 * (4 + 2)); // around an L within 4 by 2
  expect(edges).toContainEqual([5.5, 2.5, 5.5, 4.5]);
});

test("filling rings at sample centres gives the section of the mask back", () => {
  const rings = WITH_HOLE;
  const mask = [1, 2, 3].map((row) =>
    [0, 1, 2, 3, 4, 5].map((column) => {
      const ends = intervals(rings, "row", row);
      return ends.filter((end) => end < column).length % 2;
    }),
  );
  expect(mask).toEqual([
    [0, 1, 1, 1, 1, 0],
    [0, 1, 0, 0, 1, 0],
    [0, 1, 1, 1, 1, 0],
  ]);
});
