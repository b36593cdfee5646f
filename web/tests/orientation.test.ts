import { describe, expect, test } from "vitest";
import type { Affine, Vec3 } from "../src/imaging/affine";
import { type Axis, lettersOf, nearestWorldAxes, planeOf } from "../src/imaging/orientation";
import { FITTED, indexToCanvas, transform } from "../src/imaging/viewport";
import type { Header } from "../src/imaging/volume";

const STEPS: Record<string, Vec3> = {
  L: [1, 0, 0],
  R: [-1, 0, 0],
  P: [0, 1, 0],
  A: [0, -1, 0],
  S: [0, 0, 1],
  I: [0, 0, -1],
};

function affineOf(orientation: string, spacing: Vec3 = [5, 0.8, 0.7]): Affine {
  const columns = [...orientation].map((letter, i) => STEPS[letter]!.map((part) => part * spacing[i]!));
  return [0, 1, 2].flatMap((row) => [...columns.map((column) => column[row]!), 10 * row]).concat(0, 0, 0, 1);
}

/** All 48 orders and senses of the axes. */
const ORIENTATIONS = ["LR", "PA", "SI"].flatMap((a, i, pairs) =>
  pairs.flatMap((b, j) =>
    pairs.flatMap((c, k) =>
      new Set([i, j, k]).size === 3
        ? [...a].flatMap((p) => [...b].flatMap((q) => [...c].map((r) => p + q + r)))
        : [],
    ),
  ),
);

test("there are 48 orientations", () => {
  expect(new Set(ORIENTATIONS).size).toBe(48);
});

describe.each(ORIENTATIONS)("a scan in %s", (orientation) => {
  const affine = affineOf(orientation);
  const header: Header = {
    shape: [20, 30, 40],
    channels: 1,
    dtype: "int16",
    affine,
    unit: "mm",
    modality: "CT",
  };

  test("each plane has its letters", () => {
    const letters = Object.fromEntries(
      ([0, 1, 2] as const).map((axis) => {
        const plane = planeOf(affine, axis, "mm");
        const { left, right, top, bottom } = plane.letters;
        return [plane.name, left + right + top + bottom];
      }),
    );
    expect(letters).toEqual({ axial: "RLAP", coronal: "RLSI", sagittal: "APSI" });
  });

  test("what is further to the left, back or feet is drawn further to the right or down", () => {
    const canvas = { width: 400, height: 300 };
    for (const axis of [0, 1, 2] as const) {
      const plane = planeOf(affine, axis, "mm");
      const matrix = indexToCanvas(plane, header, FITTED, canvas);
      const place = (index: Record<number, number>) =>
        transform(matrix, index[plane.across] ?? 0, index[plane.down] ?? 0);
      for (const moving of [plane.across, plane.down]) {
        const [x0, y0] = place({});
        const [x1, y1] = place({ [moving]: 1 });
        const letter = orientation[moving]!;
        const expected = { L: "right", R: "left", S: "top", I: "bottom" }[letter];
        const [forth, back] = plane.name === "sagittal" ? ["right", "left"] : ["bottom", "top"];
        const side = expected ?? (letter === "P" ? forth : back);
        expect([Math.sign(Math.round(x1 - x0)), Math.sign(Math.round(y1 - y0))]).toEqual(
          { right: [1, 0], left: [-1, 0], top: [0, -1], bottom: [0, 1] }[side!],
        );
      }
    }
  });
});

test("an oblique direction gets the nearest letter first", () => {
  expect(lettersOf([0.9, -0.4, 0.1])).toBe("LA");
  expect(lettersOf([0.1, 0.05, -1])).toBe("I");
});

test("each world axis is taken once, even halfway between two", () => {
  const c = Math.SQRT1_2;
  const affine: Affine = [0, 0, 1, 0, c, c, 0, 0, c, -c, 0, 0, 0, 0, 0, 1];
  expect([...nearestWorldAxes(affine)].sort()).toEqual([0, 1, 2]);
});

test("a tilted gantry shears the sagittal plane and keeps millimetres", () => {
  const tilt = Math.PI / 9;
  const [row, column]: [Vec3, Vec3] = [[0, Math.cos(tilt), Math.sin(tilt)], [1, 0, 0]];
  const affine: Affine = [0, row[0], column[0], 0, 0, row[1], 0, 0, 3, row[2], 0, 0, 0, 0, 0, 1];
  const sagittal = ([0, 1, 2] as Axis[]).map((axis) => planeOf(affine, axis, "mm")).find(({ name }) => name === "sagittal")!;
  const [a, b, c, d] = sagittal.millimetres;
  expect(Math.hypot(a, b)).toBeCloseTo(1);
  expect(Math.hypot(c, d)).toBeCloseTo(3);
  expect(Math.abs(a * d - b * c)).toBeCloseTo(3 * Math.cos(tilt));
});

test("a photograph is upright and has no letters", () => {
  const affine: Affine = [0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1];
  const plane = planeOf(affine, 0, "px");
  expect(plane).toMatchObject({ name: "picture", across: 2, down: 1, millimetres: [1, 0, 0, 1] });
  expect(Object.values(plane.letters).join("")).toBe("");
});
