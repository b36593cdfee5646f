import { describe, expect, it } from "vitest";
import type { Affine, Vec3 } from "../src/imaging/affine";
import { told, valueOf } from "../src/imaging/measuring";

/** Slices, rows and columns so many mm apart, along z, y and x turned about z by some degrees. */
function affineOf([slice, row, column]: Vec3, degrees = 0): Affine {
  const [c, s] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  return [0, -s * row, c * column, 7, 0, c * row, s * column, -9, slice, 0, 0, 30, 0, 0, 0, 1];
}

const length = (p: Vec3, q: Vec3) => ({ kind: "length", axis: 0, points: [p, q] }) as const;
const angle = (p: Vec3, q: Vec3, r: Vec3) => ({ kind: "angle", axis: 0, points: [p, q, r] }) as const;

describe("a length", () => {
  it("is that of the grid's spacing, by hand", () => {
    const affine = affineOf([5, 0.5, 2]);
    expect(valueOf(length([3, 0, 0], [3, 6, 2]), affine)).toBeCloseTo(5); // 3 mm down, 4 mm across
    expect(valueOf(length([1, 0, 0], [3, 0, 0]), affine)).toBeCloseTo(10);
    expect(told(length([3, 0, 0], [3, 6, 2]), affine, "mm")).toBe("5.0 mm");
    expect(told(length([3, 0, 0], [3, 1, 0]), affine, "mm")).toBe("0.50 mm");
  });

  it("does not depend on where the patient lies, nor on the order of its ends", () => {
    const [p, q]: [Vec3, Vec3] = [[2, 1.5, 7.25], [2, 30, 4]];
    const straight = valueOf(length(p, q), affineOf([3, 0.7, 0.7]));
    expect(valueOf(length(q, p), affineOf([3, 0.7, 0.7], 25))).toBeCloseTo(straight);
    const sheared = [0, 0, 0.7, 0, 1, 0.7, 0, 0, 3, 0, 0, 0, 0, 0, 0, 1];
    expect(valueOf(length(q, p), sheared)).toBeCloseTo(straight); // within a slice, tilt or no tilt
    expect(valueOf(length(p, [5, 30, 4]), sheared)).not.toBeCloseTo(straight);
  });
});

describe("an angle", () => {
  it("is that in millimetres, not in indices", () => {
    const affine = affineOf([1, 1, 2]);
    expect(valueOf(angle([0, 4, 0], [0, 0, 0], [0, 0, 9]), affine)).toBeCloseTo(90);
    expect(valueOf(angle([0, 4, 0], [0, 0, 0], [0, 2, 1]), affine)).toBeCloseTo(45);
    expect(told(angle([0, 4, 0], [0, 0, 0], [0, -4, 0]), affine, "mm")).toBe("180.0°");
  });

  it("is no number where an arm has no length", () => {
    expect(valueOf(angle([0, 1, 1], [0, 1, 1], [0, 2, 2]), affineOf([1, 1, 1]))).toBeNaN();
  });
});
