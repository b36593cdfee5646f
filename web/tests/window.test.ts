import { expect, test } from "vitest";
import { draggedWindow, fullWindow, presetsFor, robustWindow } from "../src/imaging/window";

test("the full window reaches from the lowest to the highest sample", () => {
  expect(fullWindow([-1000, 0, 3000])).toEqual({ centre: 1000, width: 4000 });
  expect(fullWindow([7, 7]).width).toBeGreaterThan(0);
});

test("the robust window leaves outliers out", () => {
  const samples = Array.from({ length: 1001 }, (_, i) => i).concat(1e6);
  const { centre, width } = robustWindow(samples);
  expect(centre).toBeCloseTo(500, -1);
  expect(width).toBeLessThan(1000);
});

test("CT begins with soft tissue, a picture as it is, MR by its contrast", () => {
  expect(presetsFor("CT", "int16", [0, 1])[0]).toMatchObject({ name: "Soft tissue", centre: 40, width: 400 });
  expect(presetsFor("photo", "uint8", [3, 4])[0]).toMatchObject({ centre: 127.5, width: 255 });
  expect(presetsFor("MR", "int16", [0, 100])[0]).toMatchObject({ name: "Contrast" });
});

test("dragging widens, shifts and never turns a window inside out", () => {
  const start = { centre: 40, width: 300 };
  expect(draggedWindow(start, 30, -10)).toEqual({ centre: 30, width: 330 });
  expect(draggedWindow(start, -5000, 0).width).toBeGreaterThan(0);
});

test("a picture that uses all its levels has one window, not two alike", () => {
  expect(presetsFor("photo", "uint8", Uint8Array.of(0, 255)).map(({ name }) => name)).toEqual(["As it is"]);
  expect(presetsFor("photo", "uint8", Uint8Array.of(3, 90)).map(({ name }) => name)).toEqual(["As it is", "Full"]);
});
