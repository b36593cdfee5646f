import { expect, test } from "vitest";
import { countOn, itemAt, layersOf, middleOf, slicesOf, summaryOf } from "../src/imaging/layer";
import type { Vec3 } from "../src/imaging/affine";
import type { Finding } from "../src/service/documents";

const IDENTITY = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
const square = (slice: number) => ({
  slice,
  hole: false,
  points: [[slice, 0, 0], [slice, 0, 8], [slice, 4, 8], [slice, 4, 0]] as Vec3[],
});

function finding(name: string, extra: Partial<Finding> = {}): Finding {
  return {
    id: 1,
    category: { name, colour: "#d55e00", laterality: null },
    score: null,
    measurements: {},
    notes: [],
    contours: [],
    point: null,
    box: null,
    ...extra,
  };
}

test("an organ is one layer, gone to at its middle slice", () => {
  const [liver] = layersOf([finding("liver", { contours: [square(7), square(3), square(5)] })], IDENTITY);
  expect(liver).toMatchObject({ found: true, contours: 3 });
  expect(slicesOf(liver!)).toEqual([3, 5, 7]);
  expect(middleOf(liver!)).toEqual([5, 2, 4]);
  expect([2, 3, 5].map((slice) => countOn(liver!, slice))).toEqual([0, 1, 1]);
});

test("what was looked for and not found has no volume and no place", () => {
  const [spleen] = layersOf([finding("spleen", { measurements: { volume_ml: 0 } })], IDENTITY);
  expect(spleen).toMatchObject({ found: false, contours: 0 });
  expect(middleOf(spleen!)).toBeUndefined();
});

test("many of a kind are one layer", () => {
  const bees = [
    finding("bee", { point: [0, 5, 6], score: 0.8 }),
    finding("bee", { box: [[0, 9, 9], [0, 3, 2]], score: 0.6 }),
  ];
  const [layer] = layersOf(bees, IDENTITY);
  expect(layer!.points).toEqual([[0, 5, 6]]);
  expect(layer!.boxes).toEqual([{ low: [0, 3, 2], high: [0, 9, 9] }]);
  expect(countOn(layer!, 0)).toBe(2);
  expect(summaryOf(layer!).score).toBeCloseTo(0.7);
});

test("volumes add up and means are weighted by them", () => {
  const [layer] = layersOf(
    [
      finding("cyst", { contours: [square(1)], measurements: { volume_ml: 1, mean_hu: 10 }, notes: ["a"] }),
      finding("cyst", { contours: [square(4)], measurements: { volume_ml: 3, mean_hu: 50 }, notes: ["a", "b"] }),
    ],
    IDENTITY,
  );
  expect(summaryOf(layer!)).toEqual({ volume_ml: 4, mean_hu: 40, score: undefined, notes: ["a", "b"] });
});

test("layers that share a colour differ in their dashes; a colour that is none is white", () => {
  const layers = layersOf(
    [
      finding("a", { contours: [square(1)] }),
      finding("b", { contours: [square(1)] }),
      finding("c", { category: { name: "c", colour: "red; x", laterality: null }, contours: [square(1)] }),
    ],
    IDENTITY,
  );
  expect(layers[0]!.dash).not.toEqual(layers[1]!.dash);
  expect(layers[2]!.colour).toBe("#ffffff");
});

test("each of many has a place: its point, or the middle of its box or outline", () => {
  const [layer] = layersOf(
    [
      finding("bee", { id: 4, point: [0, 5, 6], score: 0.8 }),
      finding("bee", { id: 5, box: [[0, 9, 9], [0, 3, 2]] }),
      finding("bee", { id: 6, contours: [square(0)] }),
      finding("bee", { id: 7 }),
    ],
    IDENTITY,
  );
  expect(layer!.items.map(({ id, place }) => [id, place])).toEqual([
    [4, [0, 5, 6]],
    [5, [0, 6, 5.5]],
    [6, [0, 2, 4]],
  ]);
});

test("under the cursor is the smallest of those that are there, on its slice only", () => {
  const [layer] = layersOf(
    [
      finding("bee", { id: 1, box: [[0, 0, 0], [0, 20, 20]] }),
      finding("bee", { id: 2, box: [[0, 4, 4], [0, 8, 8]] }),
      finding("bee", { id: 3, point: [0, 12, 12] }),
    ],
    IDENTITY,
  );
  const at = (slice: number, row: number, column: number) => itemAt(layer!, [slice, row, column], 2)?.id;
  expect([at(0, 5, 5), at(0, 15, 3), at(0, 12, 13.5), at(0, 30, 30), at(1, 5, 5)]).toEqual([2, 1, 3, undefined, undefined]);
});

test("areas add up where there are no volumes", () => {
  const [layer] = layersOf(
    [finding("pit", { measurements: { area_mm2: 1.5 } }), finding("pit", { measurements: { area_mm2: 2 } })],
    IDENTITY,
  );
  expect(summaryOf(layer!)).toMatchObject({ area_mm2: 3.5, volume_ml: undefined, area_px: undefined });
});
