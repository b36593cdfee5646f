import { expect, test } from "vitest";
import { Editor } from "../src/editing/editor";
import { between, signed } from "../src/editing/interpolation";
import { Tracer } from "../src/editing/tracing";
import { apply, invert, type Vec3 } from "../src/imaging/affine";
import type { Finding } from "../src/service/documents";

const AFFINE = [0, 0, 0.8, -9, 0, 0.8, 0, 4, 3, 0, 0, 1, 0, 0, 0, 1];
const HEADER = { shape: [7, 10, 10], channels: 1, dtype: "int16", affine: AFFINE, unit: "mm", modality: "CT" } as const;
const CUT = { axis: 0, at: 3, across: 2, down: 1 };

/** A finding with a box of samples, as the service tells it. */
function box(id: number, name: string, low: Vec3, high: Vec3): Finding {
  const contours = [];
  for (let slice = low[0]; slice <= high[0]; slice++) {
    const corners = [[low[1], low[2]], [low[1], high[2] + 1], [high[1] + 1, high[2] + 1], [high[1] + 1, low[2]]] as const;
    const points = corners.map(([r, c]) => apply(AFFINE, [slice, r - 0.5, c - 0.5]));
    contours.push({ slice, hole: false, points });
  }
  const category = { name, colour: "#e600e6", laterality: null };
  return { id, category, score: null, measurements: {}, notes: [], contours, point: null, box: null };
}

const LIVER = box(3, "liver", [1, 2, 2], [5, 6, 6]);
const begin = (...findings: Finding[]) => Editor.of(findings.length ? findings : [LIVER], HEADER, invert(AFFINE))!;

/** The outlines that are shown are those of the labels, to the last corner. */
function expectExact(editor: Editor): void {
  const tracer = new Tracer(10, 10);
  for (const [i, { id }] of editor.structures.entries()) {
    for (let slice = 0; slice < 7; slice++) {
      const shown = editor.layers[i]!.rings.get(slice) ?? [];
      const drawn = tracer.trace(editor.labels.slice(slice), id, slice);
      expect(shown.map(({ points }) => [...points].sort())).toEqual(drawn.map(({ points }) => [...points].sort()));
    }
  }
}

test("a result is taken up with the samples that its outlines enclose", () => {
  const editor = begin();
  expect(editor.labels.counts[3]).toBe(5 * 5 * 5);
  expect(editor.edited).toBe(false);
  expectExact(editor);
});

test("a result whose structures overlap is not", () => {
  expect(Editor.of([LIVER, box(4, "cyst", [5, 6, 6], [6, 7, 7])], HEADER, invert(AFFINE))).toBeUndefined();
});

test("outlines follow every edit and come back when it is undone", () => {
  const editor = begin(LIVER, box(4, "spleen", [1, 8, 8], [2, 9, 9]));
  const before = editor.labels.data.slice();
  editor.begin(false);
  editor.radius = 2.5;
  editor.brush([3, 6, 6], [3, 8, 8], 0);
  editor.end(3);
  expectExact(editor);
  editor.sphere = true;
  editor.begin(true);
  editor.brush([2, 4, 4], [2, 4, 4], 0);
  editor.end();
  editor.lasso(CUT, [[-0.5, -0.5], [4.5, -0.5], [4.5, 4.5]], false);
  editor.active = 4;
  editor.lasso(CUT, [[4.5, 4.5], [9.5, 4.5], [9.5, 9.5]], false);
  editor.remove(4);
  editor.add("cyst");
  editor.change(3, { name: "hepar", colour: "#0072b2" });
  expectExact(editor);
  expect(editor.structures.map(({ id, name }) => [id, name])).toEqual([[3, "hepar"], [4, "cyst"]]);
  const after = editor.labels.data.slice();
  let deeds = 0;
  for (; editor.canUndo; deeds++) editor.undo();
  expect(deeds).toBe(7);
  expect(editor.labels.data).toEqual(before);
  expect(editor.structures.map(({ name }) => name)).toEqual(["liver", "spleen"]);
  expectExact(editor);
  while (editor.canRedo) editor.redo();
  expect(editor.labels.data).toEqual(after);
  expect(editor.structures.map(({ name }) => name)).toEqual(["hepar", "cyst"]);
  expectExact(editor);
});

test("the eraser takes from the active structure alone, and a brush may spare the others", () => {
  const editor = begin(LIVER, box(4, "spleen", [1, 7, 2], [5, 9, 6]));
  const all = [[-1, -1], [11, -1], [11, 11], [-1, 11]] as const;
  editor.lasso(CUT, all, true);
  expect([editor.labels.counts[3], editor.labels.counts[4]]).toEqual([100, 75]);
  editor.sparing = true;
  editor.lasso(CUT, all, false);
  expect([editor.labels.counts[3], editor.labels.counts[4]]).toEqual([100 + 85, 75]);
  editor.sparing = false;
  editor.lasso(CUT, all, false);
  expect([editor.labels.counts[3], editor.labels.counts[4]]).toEqual([200, 60]);
});

test("names stay different from one another and on one line", () => {
  const editor = begin(LIVER, box(4, "spleen", [0, 0, 0], [0, 0, 0]));
  editor.change(4, { name: "  liver\n" });
  editor.add("liver");
  expect(editor.structures.map(({ name }) => name)).toEqual(["liver", "liver 2", "liver 3"]);
  editor.change(3, { name: "   " });
  expect(editor.structures[0]!.name).toBe("liver");
});

test("what was kept of edits is gone on with", () => {
  const one = begin();
  one.lasso(CUT, [[-1, -1], [4, -1], [4, 9]], false);
  one.add("cyst");
  const other = begin();
  other.resume(one.structures, Array.from(one.touched, (index) => [index, one.labels.slice(index).slice()] as const));
  expect(other.labels.data).toEqual(one.labels.data);
  expect(other.labels.counts[3]).toBe(one.labels.counts[3]);
  expect(other.structures).toEqual(one.structures);
  expect(other.edited).toBe(true);
  expectExact(other);
});

test("distances are those to the border midway between samples, by every pair of samples", () => {
  const [rows, columns, spacing] = [6, 7, [1.5, 0.8] as const];
  const shape = Uint8Array.from("000000000110000011110000011000000000000000", Number);
  const found = signed(shape, rows, columns, spacing);
  for (let at = 0; at < shape.length; at++) {
    let least = Infinity;
    for (let other = 0; other < shape.length; other++) {
      if (shape[other] === shape[at]) continue;
      const down = (Math.floor(other / columns) - Math.floor(at / columns)) * spacing[0];
      const across = ((other % columns) - (at % columns)) * spacing[1];
      least = Math.min(least, Math.hypot(down, across));
    }
    expect(found[at]).toBeCloseTo(shape[at] ? 0.4 - least : least - 0.4, 9);
  }
});

test("between two shapes that are the same lies that shape; between two discs one of the mean radius", () => {
  const disc = (radius: number) =>
    Uint8Array.from({ length: 41 * 41 }, (_, at) => Number(Math.hypot(Math.floor(at / 41) - 20, (at % 41) - 20) <= radius));
  expect(between(disc(7), disc(7), 41, 41, [1, 1], 3)).toEqual([disc(7), disc(7), disc(7)]);
  const [middle] = between(disc(5), disc(15), 41, 41, [1, 1], 1);
  const radius = Math.sqrt(middle!.reduce((sum, each) => sum + each, 0) / Math.PI);
  expect(Math.abs(radius - 10)).toBeLessThan(0.5);
});

test("interpolation is offered between two slices that were drawn on, and undone as one", () => {
  const editor = begin(box(3, "liver", [0, 0, 0], [0, 0, 0]));
  const square = [[1.5, 1.5], [6.5, 1.5], [6.5, 6.5], [1.5, 6.5]] as const;
  for (const at of [1, 5]) editor.lasso({ ...CUT, at }, square, false);
  expect(editor.around(3)).toEqual([1, 5]);
  expect(editor.around(1)).toBeUndefined();
  expect(editor.around(6)).toBeUndefined();
  editor.interpolate(editor.around(3)!);
  expect(editor.labels.counts[3]).toBe(1 + 5 * 25);
  expectExact(editor);
  editor.undo();
  expect(editor.labels.counts[3]).toBe(1 + 2 * 25);
  expectExact(editor);
});
