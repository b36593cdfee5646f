import { describe, expect, it } from "vitest";
import { listedOf, matches, sorted } from "../src/page/listing";
import { pairsOf } from "../src/page/comparison";
import type { Layer } from "../src/imaging/layer";
import type { Case } from "../src/service/cases";
import { corners, DIRECTIONS } from "../src/imaging/solid";
import { lettersOf } from "../src/imaging/orientation";

function made(id: string, more: Partial<Case> = {}): Case {
  return {
    id,
    state: "done",
    progress: 1,
    error: null,
    detector: "organs.ct",
    image_id: "0".repeat(64),
    created: `2026-01-0${id}T00:00:00.000Z`,
    finished: null,
    series: { id: "s", description: "Abdomen", modality: "CT", slices: 3, shape: [3, 4, 5], unit: "mm", files: [] },
    summary: { gives: "labelmap", found: ["lung_left"], missing: ["spleen"], cut: [], things: 1, notes: [], overall: {} },
    reference: null,
    dice: null,
    f1: null,
    ...more,
  };
}

const listed = (...cases: Case[]) => cases.map((one) => listedOf(one, []));
const ids = (...args: Parameters<typeof sorted>) => sorted(...args).map(({ id }) => id);

describe("cases", () => {
  it("are sorted both ways, those without a value last", () => {
    const cases = listed(made("1", { dice: 0.5 }), made("2"), made("3", { dice: 0.9 }));

    expect(ids(cases, "dice", true)).toEqual(["1", "3", "2"]);
    expect(ids(cases, "dice", false)).toEqual(["3", "1", "2"]);
    expect(ids(cases, "when", false)).toEqual(["3", "2", "1"]);
  });

  it("with the same value are the newest first", () => {
    expect(ids(listed(made("1"), made("3"), made("2")), "detector", true)).toEqual(["3", "2", "1"]);
  });

  it("are found by all words of a filter, in what was found and what was not", () => {
    const [one] = listed(made("1"));

    expect(matches(one!, "abdomen LUNG", "")).toBe(true);
    expect(matches(one!, "spleen", "done")).toBe(true);
    expect(matches(one!, "abdomen liver", "")).toBe(false);
    expect(matches(one!, "", "failed")).toBe(false);
  });

  it("tell why they failed, and when their image is gone", () => {
    const [one] = listed(made("1", { state: "failed", summary: null, series: null, error: { code: "E", message: "no slices" } }));

    expect(one!.flags).toEqual(["no slices"]);
    expect(one!.image).toContain("00000000");
  });
});

describe("what belongs together", () => {
  const layer = (name: string) => ({ name }) as Layer;

  it("is as the service has matched it, one side missing or not", () => {
    const [ours, theirs] = [[layer("Liver"), layer("new")], [layer("liver"), layer("old")]];
    const structures = [
      { reference: "liver", prediction: "Liver" },
      { reference: "old", prediction: null },
      { reference: null, prediction: "new" },
      { reference: "gone", prediction: null },
    ];

    expect(pairsOf(structures, ours, theirs)).toEqual([
      { ours: ours[0], theirs: theirs[0] },
      { ours: undefined, theirs: theirs[1] },
      { ours: ours[1], theirs: undefined },
    ]);
  });
});

describe("the view in three dimensions", () => {
  it("is seen from the end that it is called by", () => {
    for (const [name, direction] of Object.entries(DIRECTIONS)) expect(lettersOf(direction)).toBe(name);
  });

  it("reaches to the outer edges of the samples", () => {
    const ends = corners({ shape: [2, 3, 4], affine: [0, 0, 1, 0, 0, 2, 0, 0, 3, 0, 0, 0, 0, 0, 0, 1] });

    expect(ends).toHaveLength(8);
    expect(ends[0]).toEqual([-0.5, -1, -1.5]);
    expect(ends[7]).toEqual([3.5, 5, 4.5]);
  });
});
