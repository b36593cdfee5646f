import { expect, test } from "vitest";
import type { Axis } from "../src/imaging/orientation";
import { planeOf } from "../src/imaging/orientation";
import { emptyVolume, type Header, paintSlice, readHeader, sampleAt, toIndex, toWorld } from "../src/imaging/volume";

const SPL = [0, 0, 1, -5, 0, 1, 0, -6, 2, 0, 0, -7, 0, 0, 0, 1];

function header(extra: Partial<Header> = {}): Header {
  return { shape: [2, 3, 4], channels: 1, dtype: "int16", affine: SPL, unit: "mm", modality: "CT", ...extra };
}

function counted(extra: Partial<Header> = {}) {
  const volume = emptyVolume(header(extra));
  volume.samples.forEach((_, i) => (volume.samples[i] = i));
  return volume;
}

test("headers give shape, channels and affine", () => {
  const headers: Record<string, string> = {
    "X-Shape": "1,3,4,3",
    "X-Affine": SPL.join(","),
    "X-Dtype": "uint8",
    "X-Unit": "px",
    "X-Modality": "photo",
  };
  expect(readHeader((name) => headers[name] ?? null)).toMatchObject({ shape: [1, 3, 4], channels: 3, dtype: "uint8" });
  expect(() => readHeader(() => null)).toThrow(/X-Shape/);
});

test("an unknown dtype is refused", () => {
  expect(() => emptyVolume(header({ dtype: "complex64" }))).toThrow(/complex64/);
});

test("world and index undo each other", () => {
  const volume = counted();
  expect(toWorld(volume, [1, 2, 3])).toEqual([-2, -4, -5]);
  expect(toIndex(volume, [-2, -4, -5])).toEqual([1, 2, 3]);
});

test("the nearest sample is read, and none outside", () => {
  const volume = counted();
  expect(sampleAt(volume, [1, 1.6, 0.4])).toEqual([20]);
  expect(sampleAt(volume, [0, 0, 3.6])).toBeUndefined();
  expect(sampleAt(volume, [-1, 0, 0])).toBeUndefined();
});

test.each([0, 1, 2] as Axis[])("a painted slice across axis %i has the samples that are there", (axis) => {
  const volume = counted();
  const plane = planeOf(SPL, axis, "mm");
  const [width, height] = [volume.shape[plane.across], volume.shape[plane.down]];
  const pixels = new Uint32Array(width * height);
  paintSlice(volume, plane, 1, { centre: 127.5, width: 255 }, pixels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const index: [number, number, number] = [0, 0, 0];
      index[axis] = 1;
      index[plane.across] = x;
      index[plane.down] = y;
      expect(pixels[y * width + x]! & 0xff).toBe(sampleAt(volume, index)![0]);
    }
  }
});

test("windows saturate on both sides and pixels are opaque", () => {
  const volume = emptyVolume(header({ shape: [1, 1, 3] }));
  volume.samples.set([-1000, 41, 3000]);
  const pixels = new Uint32Array(3);
  paintSlice(volume, planeOf(SPL, 0, "mm"), 0, { centre: 40, width: 400 }, pixels);
  expect([...pixels].map((pixel) => pixel.toString(16))).toEqual(["ff000000", "ff808080", "ffffffff"]);
});

test("colours keep their order", () => {
  const volume = emptyVolume(header({ shape: [1, 1, 1], channels: 3, dtype: "uint8" }));
  volume.samples.set([10, 20, 30]);
  const pixels = new Uint32Array(1);
  paintSlice(volume, planeOf(SPL, 0, "px"), 0, { centre: 127.5, width: 255 }, pixels);
  expect([...new Uint8Array(pixels.buffer)]).toEqual([10, 20, 30, 255]);
});
