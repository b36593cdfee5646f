import { expect, test } from "vitest";
import { planeOf } from "../src/imaging/orientation";
import { FITTED, indexToCanvas } from "../src/imaging/viewport";
import type { Header } from "../src/imaging/volume";
import { crossLines } from "../src/page/cross";

const AFFINE = [0, 0, 1, 0, 0, 1, 0, 0, 4, 0, 0, 0, 0, 0, 0, 1];
const HEADER: Header = { shape: [5, 20, 40], channels: 1, dtype: "int16", affine: AFFINE, unit: "mm", modality: "CT" };
const PLANE = planeOf(AFFINE, 0, "mm");
const MATRIX = indexToCanvas(PLANE, HEADER, FITTED, { width: 400, height: 200 }); // 10 pixels a sample

test("the crosshair reaches over the slice and leaves its middle free", () => {
  expect(crossLines(MATRIX, 1, PLANE, HEADER, [2, 9, 19])).toEqual([
    [0, 95, 181, 95],
    [209, 95, 400, 95],
    [195, 0, 195, 81],
    [195, 109, 195, 200],
  ]);
});

test("at the edge of the slice no line runs backwards", () => {
  const lines = crossLines(MATRIX, 1, PLANE, HEADER, [2, 0, 39]);
  expect(lines).toHaveLength(2);
  expect(lines.every(([x, y, u, v]) => u >= x && v >= y)).toBe(true);
});
