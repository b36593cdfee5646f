import { expect, test } from "vitest";
import { COLOURS, paintHeat, rangeOf } from "../src/imaging/heat";
import { planeOf } from "../src/imaging/orientation";
import { emptyVolume } from "../src/imaging/volume";

const AFFINE = [0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1];

function field(values: number[]) {
  const made = emptyVolume({ shape: [1, 1, values.length], channels: 1, dtype: "float32", affine: AFFINE, unit: "px", modality: "unknown" });
  made.samples.set(values);
  return made;
}

function painted(values: number[], from: number): Uint32Array {
  const pixels = new Uint32Array(values.length);
  paintHeat(field(values), planeOf(AFFINE, 0, "px"), 0, { low: 0, high: 2 }, from, pixels);
  return pixels;
}

const opacity = (pixel: number) => pixel >>> 24;

test("the higher the score the more is seen of it", () => {
  const pixels = painted([0, 0.5, 1, 2], 0);
  expect(Array.from(pixels, opacity)).toEqual([0, 64, 128, 255]);
  expect(pixels[3]! & 0xffffff).toBe(COLOURS[255]);
});

test("nothing is seen below the threshold, nor of what is no number", () => {
  const pixels = painted([0.99, 1, NaN, 2], 1);
  expect(Array.from(pixels, (pixel) => opacity(pixel) > 0)).toEqual([false, true, false, true]);
});

test("scores beyond the range have its last colour", () => {
  expect(painted([50, -3], -5)).toEqual(Uint32Array.of((255 * 2 ** 24) + COLOURS[255]!, COLOURS[0]!));
});

test("colours go from dark to light", () => {
  const light = (colour: number) => (colour & 255) + ((colour >> 8) & 255) + ((colour >> 16) & 255);
  for (let level = 16; level < 256; level += 16) {
    expect(light(COLOURS[level]!)).toBeGreaterThan(light(COLOURS[level - 16]!));
  }
});

test("the range leaves out what is no number, and is never empty", () => {
  expect(rangeOf([3, NaN, 1, Infinity])).toEqual({ low: 1, high: 3 });
  expect(rangeOf([2, 2])).toEqual({ low: 2, high: 3 });
  expect(rangeOf([NaN])).toEqual({ low: 0, high: 1 });
});
