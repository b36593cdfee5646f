import { describe, expect, it } from "vitest";
import type { Affine } from "../src/imaging/affine";
import { ThingDifferences } from "../src/page/things";
import type { Things } from "../src/service/cases";
import type { Finding } from "../src/service/documents";

/** From the world `(x, y, z)` to indices `(slice, row, column)`. */
const INVERSE = [0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1] as unknown as Affine;

function point(id: number, name: string, x: number, y: number): Finding {
  return {
    id,
    category: { name, colour: "#e69f00", code: null, laterality: null },
    score: 0.5,
    contours: [],
    measurements: {},
    notes: [],
    point: [x, y, 0],
    box: null,
  } as unknown as Finding;
}

const figures = { name: "", prediction: 3, reference: 3, hits: 2, precision: null, recall: null, f1: null };
const things = (pairs: Things["pairs"]): Things => ({
  by: "distance",
  least: 20,
  unit: "px",
  pairs,
  categories: [],
  all: figures,
});

describe("things of two results", () => {
  it("are told apart by their partners, from the top of the picture to its foot", () => {
    const ours = [point(1, "moth", 5, 50), point(2, "moth", 9, 10), point(3, "fly", 20, 30)];
    const theirs = [point(1, "moth", 20, 31), point(2, "moth", 5, 51), point(3, "moth", 70, 1)];
    // The first of ours is the second of theirs; the third is their first, and called otherwise.
    const { differing } = new ThingDifferences(ours, theirs, INVERSE, things([[1, 2], [3, 1]]));

    expect(differing.map(({ kind, name, item }) => [kind, name, item.place[1]])).toEqual([
      ["onlyOther", "moth", 1],
      ["onlyThis", "moth", 10],
      ["otherName", "fly", 30],
    ]);
  });

  it("of one result do not differ from themselves", () => {
    const ours = [point(1, "moth", 5, 50), point(2, "moth", 9, 10)];

    expect(new ThingDifferences(ours, ours, INVERSE, things([[1, 1], [2, 2]])).differing).toEqual([]);
  });
});
