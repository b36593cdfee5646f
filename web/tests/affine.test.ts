import { expect, test } from "vitest";
import { type Affine, apply, invert, type Vec3 } from "../src/imaging/affine";

// Oblique, sheared and flipped: slice, row and column steps are the first three columns.
const OBLIQUE: Affine = [0.2, 0.1, -0.7, 12, 0.5, 0.8, 0.1, -30, 4.9, -0.3, 0.05, 7, 0, 0, 0, 1];

test("the inverse undoes an oblique, sheared, flipped affine", () => {
  const inverse = invert(OBLIQUE);
  for (const index of [[0, 0, 0], [3, 7, 11], [-2, 0.5, 100]] as Vec3[]) {
    apply(inverse, apply(OBLIQUE, index)).forEach((part, i) => expect(part).toBeCloseTo(index[i]!, 9));
  }
});

test("an index moves along its own column of the affine", () => {
  expect(apply(OBLIQUE, [1, 0, 0])).toEqual([12.2, -29.5, 11.9]);
});

test("a singular affine is refused", () => {
  expect(() => invert([1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1])).toThrow(/singular/);
});
