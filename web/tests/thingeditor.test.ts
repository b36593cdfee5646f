import { describe, expect, it } from "vitest";
import { edited, ThingEditor } from "../src/editing/thingeditor";
import type { Affine } from "../src/imaging/affine";
import type { Finding } from "../src/service/documents";

/** Half a unit a row, a quarter a column; from indices `(slice, row, column)` to the world. */
const AFFINE = [0, 0, 0.25, 10, 0, 0.5, 0, 20, 1, 0, 0, 30, 0, 0, 0, 1] as unknown as Affine;
const INVERSE = [0, 0, 1, -30, 0, 2, 0, -40, 4, 0, 0, -40, 0, 0, 0, 1] as unknown as Affine;

const moth = { name: "moth", colour: "#e69f00", laterality: null, code: { value: "1", scheme: "X", meaning: "Moth" } };
const fly = { name: "fly", colour: "#009e73", laterality: null };

function finding(id: number, category: Finding["category"], row: number, column: number): Finding {
  const point = [10 + column / 4, 20 + row / 2, 30] as const;
  return { id, category, score: 0.5, measurements: {}, notes: [], contours: [], point, box: null };
}

const FOUND = [finding(1, moth, 5, 5), finding(2, fly, 9, 9), finding(4, moth, 20, 20)];
const made = (more = FOUND) => new ThingEditor(more, AFFINE, INVERSE, [{ name: "thrips", colour: "#56b4e9" }]);
const named = (editor: ThingEditor) => editor.things.map(({ id, category }) => `${id} ${category.name}`);

describe("an editor of things", () => {
  it("adds, takes away and renames, and undoes each", () => {
    const editor = made();
    editor.active = "fly";
    const steps = [
      [() => editor.add([0, 7, 3]), ["1 moth", "2 fly", "4 moth", "5 fly"]],
      [() => editor.remove(2), ["1 moth", "4 moth", "5 fly"]],
      [() => editor.rename(1), ["1 fly", "4 moth", "5 fly"]],
      [() => editor.remove(5), ["1 fly", "4 moth"]],
      [() => editor.remove(1), ["4 moth"]],
    ] as const;
    const seen: string[][] = [named(editor)];
    for (const [deed, expected] of steps) {
      deed();
      expect(named(editor)).toEqual(expected);
      seen.push(named(editor));
    }
    const last = seen.pop()!;
    for (const before of seen.reverse()) {
      expect(editor.canUndo).toBe(true);
      editor.undo();
      expect(named(editor)).toEqual(before);
    }
    expect([editor.canUndo, editor.edited]).toEqual([false, false]);
    for (const _ of steps) editor.redo();
    expect(named(editor)).toEqual(last);
  });

  it("is as it was where a name is given back", () => {
    const editor = made();
    editor.active = "fly";
    editor.rename(1);
    editor.active = "moth";
    editor.rename(1);

    expect(editor.edited).toBe(false);
    expect(named(editor)).toEqual(["1 moth", "2 fly", "4 moth"]);
  });

  it("redoes nothing once something else was done", () => {
    const editor = made();
    editor.remove(1);
    editor.undo();
    editor.remove(2);

    expect(editor.canRedo).toBe(false);
    editor.redo();
    expect(named(editor)).toEqual(["1 moth", "4 moth"]);
  });

  it("does nothing twice, so that nothing is undone in vain", () => {
    const editor = made();
    editor.rename(1);
    editor.remove(4);
    editor.remove(4);

    editor.undo();

    expect([named(editor), editor.canUndo]).toEqual([["1 moth", "2 fly", "4 moth"], false]);
  });

  it("knows the kinds that its detector may find, those found, and new ones once", () => {
    const editor = made();
    editor.addKind("  white   fly ");
    editor.addKind("white fly");
    editor.addKind(" ");

    expect(editor.edits.kinds.map(({ name }) => name)).toEqual(["thrips", "moth", "fly", "white fly"]);
    expect(editor.active).toBe("white fly");
    expect(new Set(editor.edits.kinds.map(({ colour }) => colour)).size).toBe(4);
  });

  it("finds what lies at a place", () => {
    const editor = made();
    editor.add([0, 30, 30], [0, 40, 44]);

    expect(editor.at([0, 6, 5], 2)?.id).toBe(1);
    expect(editor.at([0, 12, 5], 2)).toBeUndefined();
    expect(editor.at([0, 35, 31], 2)?.id).toBe(5);
  });

  it("begins with a kind where nothing was found", () => {
    const editor = made([]);
    editor.add([0, 1, 2]);

    expect(named(editor)).toEqual(["1 thrips"]);
  });
});

describe("edited GeoJSON", () => {
  const feature = ({ id, category, point }: Finding) => ({
    type: "Feature",
    properties: { number: id, ...category, score: 0.5, shape: "point", world: point, slice: 0 },
  });
  const exported = { type: "FeatureCollection", schema: "s", features: FOUND.map(feature) };

  it("leaves what stays as it was, and says where the rest lies in the world", () => {
    const editor = made();
    editor.remove(2);
    editor.active = "moth";
    editor.add([0, 4, 8]);
    editor.add([0, 4, 8], [0, 6, 12]);

    const { features, schema } = edited(exported, editor) as typeof exported;

    expect(schema).toBe("s");
    expect(features.slice(0, 2)).toEqual([exported.features[0], exported.features[2]]);
    const [point, box] = features.slice(2).map(({ properties }) => properties as Record<string, unknown>);
    expect(point).toEqual({ number: 5, ...moth, score: null, shape: "point", world: [12, 22, 30] });
    expect([box!.shape, box!.world]).toEqual(["box", [[12, 22, 29.5], [13, 23, 30.5]]]);
  });

  it("gives what was renamed the code of its kind, or none", () => {
    const editor = made();
    editor.active = "moth";
    editor.rename(2);
    editor.active = "thrips";
    editor.rename(4);

    const { features } = edited(exported, editor) as typeof exported;

    const told = features.map(({ properties }) => properties as unknown as Record<string, unknown>);
    expect(told.map(({ name, score }) => [name, score])).toEqual([["moth", 0.5], ["moth", null], ["thrips", null]]);
    expect([told[1]!.code, told[2]!.code, told[2]!.colour]).toEqual([moth.code, null, "#56b4e9"]);
  });
});
