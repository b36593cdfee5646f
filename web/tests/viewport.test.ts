import { expect, test } from "vitest";
import { planeOf } from "../src/imaging/orientation";
import { centredOn, fitScale, FITTED, indexToCanvas, inverseMatrix, moved, rulerLength, transform, zoomAt } from "../src/imaging/viewport";
import type { Header } from "../src/imaging/volume";

const AFFINE = [0, 0, 0.5, 0, 0, 2, 0, 0, 5, 0, 0, 0, 0, 0, 0, 1];
const HEADER: Header = { shape: [10, 100, 200], channels: 1, dtype: "int16", affine: AFFINE, unit: "mm", modality: "CT" };
const CANVAS = { width: 400, height: 300 };
const PLANE = planeOf(AFFINE, 0, "mm");

test("a slice is fitted in millimetres, not in samples", () => {
  // 100 mm across (0.5 mm each) and 200 mm down (2 mm each) on 300 pixels: 1.5 pixels a mm.
  const [a, b, c, d, e, f] = indexToCanvas(PLANE, HEADER, FITTED, CANVAS);
  expect([a, b, c, d]).toEqual([0.75, 0, 0, 3]);
  expect([e, f].map((part) => part - 0)).toEqual([200 - 0.75 * 99.5, 150 - 3 * 49.5]);
});

test("the whole slice, half a sample around the centres included, is within the canvas", () => {
  const matrix = indexToCanvas(PLANE, HEADER, FITTED, CANVAS);
  expect(transform(matrix, 99.5, -0.5)[1]).toBeCloseTo(0);
  expect(transform(matrix, 99.5, 99.5)[1]).toBeCloseTo(300);
});

test("a matrix and its inverse undo each other", () => {
  const matrix = [1.5, 0.2, -0.4, 2, 30, -7] as const;
  const [x, y] = transform(inverseMatrix(matrix), ...transform(matrix, 12, 34));
  expect(x).toBeCloseTo(12);
  expect(y).toBeCloseTo(34);
});

test("zooming leaves what is under the cursor where it is", () => {
  const index = transform(inverseMatrix(indexToCanvas(PLANE, HEADER, moved(FITTED, 12, -30, fitScale(PLANE, HEADER, CANVAS)), CANVAS)), 310, 90);
  const fit = fitScale(PLANE, HEADER, CANVAS);
  const view = zoomAt(moved(FITTED, 12, -30, fit), 2.5, 310, 90, CANVAS, fit);
  const [x, y] = transform(indexToCanvas(PLANE, HEADER, view, CANVAS), ...index);
  expect(x).toBeCloseTo(310);
  expect(y).toBeCloseTo(90);
});

test("a ruler has a round length that fits", () => {
  expect(rulerLength(1.5, 100)).toBe(50);
  expect(rulerLength(10, 100)).toBe(10);
  expect(rulerLength(300, 100)).toBeCloseTo(0.2);
});

test("a place is brought to the middle where only a part is seen", () => {
  const canvas = { width: 200, height: 100 };
  // 2 canvas pixels a mm, zoomed 4 times: 50 pixels are 6.25 mm.
  const centred = centredOn({ zoom: 4, x: 5, y: -7 }, 150, 20, canvas, 2);
  expect(centred).toEqual({ zoom: 4, x: 5 - 6.25, y: -7 + 3.75 });
  expect(centredOn({ zoom: 1, x: 0, y: 0 }, 150, 20, canvas, 2)).toEqual({ zoom: 1, x: 0, y: 0 });
});

test("a picture that was moved shows the same place in its middle on a canvas of another size", () => {
  const view = moved({ zoom: 3, x: 0, y: 0 }, 100, 40, fitScale(PLANE, HEADER, CANVAS));
  const middle = (canvas: typeof CANVAS) =>
    transform(inverseMatrix(indexToCanvas(PLANE, HEADER, view, canvas)), canvas.width / 2, canvas.height / 2);
  const [x, y] = middle(CANVAS);
  const [u, v] = middle({ width: 1000, height: 750 });
  expect(u).toBeCloseTo(x);
  expect(v).toBeCloseTo(y);
});
