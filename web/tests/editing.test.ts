import { expect, test } from "vitest";
import { holes, metricOf, sweep, within } from "../src/editing/brush";
import { History, type Deed } from "../src/editing/history";
import { Labels } from "../src/editing/labels";
import { headerOf } from "../src/editing/nrrd";
import { apply, type Vec3 } from "../src/imaging/affine";

const SHAPE = [5, 9, 11] as const;
/** Thick slices, tilted: the slices' step has a part along the rows. */
const TILTED = [0, 0, 0.7, -8, 1.1, 1.3, 0, 3, 4, 0.2, 0, 1, 0, 0, 0, 1];

/** Small and repeatable; nothing depends on its quality. */
function random(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

const offsets = (act: (take: (offset: number) => void) => void): number[] => {
  const found = new Set<number>();
  act((offset) => found.add(offset));
  return [...found].sort((p, q) => p - q);
};

function every(test: (index: Vec3) => boolean): number[] {
  const found: number[] = [];
  const [slices, rows, columns] = SHAPE;
  for (let k = 0; k < slices; k++)
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) if (test([k, r, c])) found.push((k * rows + r) * columns + c);
  return found;
}

const away = (p: Vec3, q: Vec3) => {
  const [a, b] = [apply(TILTED, p), apply(TILTED, q)];
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
};

test("a brush takes what lies within so many mm, on grids of any spacing and tilt", () => {
  const draw = random(7);
  for (let round = 0; round < 60; round++) {
    const flat = round % 4 === 3 ? undefined : round % 4;
    const at = SHAPE.map((count) => draw() * (count - 1)) as unknown as [number, number, number];
    if (flat !== undefined) at[flat] = Math.round(at[flat]!);
    const radius = 0.3 + draw() * 6;
    const under = at.map(Math.round) as unknown as Vec3;
    const expected = every(
      (index) =>
        (flat === undefined || index[flat] === at[flat]) &&
        (away(index, at) <= radius || index.every((part, axis) => part === under[axis])),
    );
    const found = offsets((take) => sweep(SHAPE, metricOf(TILTED), { radius, flat }, at, at, take));
    expect(found).toEqual(expected);
  }
});

test("a stroke takes what the brush takes at any place of its way", () => {
  const [from, to] = [[2, 1.2, 0.4], [2, 6.5, 9.1]] as const;
  const brush = { radius: 2.1, flat: 0 };
  const metric = metricOf(TILTED);
  const whole = offsets((take) => sweep(SHAPE, metric, brush, from, to, take));
  const dense = offsets((take) => {
    for (let i = 0; i <= 2000; i++) {
      const at = from.map((part, axis) => part + (i / 2000) * (to[axis]! - part)) as unknown as Vec3;
      sweep(SHAPE, metric, brush, at, at, take);
    }
  });
  expect(dense.every((offset) => whole.includes(offset))).toBe(true);
  expect(whole.length - dense.length).toBeLessThanOrEqual(1);
});

test("a lasso takes the samples whose centres it goes round, in every plane", () => {
  for (const [axis, across, down] of [[0, 2, 1], [1, 2, 0], [2, 1, 0]] as const) {
    const cut = { axis, at: 2, across, down };
    const square = [[1.5, 0.5], [3.5, 0.5], [3.5, 2.5], [1.5, 2.5]] as const;
    const found = offsets((take) => within(SHAPE, cut, square, take));
    const expected = every(
      (index) => index[axis] === 2 && [2, 3].includes(index[across]!) && [1, 2].includes(index[down]!),
    );
    expect(found).toEqual(expected);
  }
});

test("a lasso that crosses itself follows the even-odd rule, and ends at the edge of the image", () => {
  const cut = { axis: 0, at: 0, across: 2, down: 1 };
  const around = [[-9, -9], [99, -9], [99, 99], [-9, 99]] as const;
  expect(offsets((take) => within(SHAPE, cut, around, take)).length).toBe(SHAPE[1] * SHAPE[2]);
  expect(offsets((take) => within(SHAPE, cut, [...around, ...around], take))).toEqual([]);
});

/*
 *   . # # # .
 *   # . # . #      the left hole is closed by corners only, as outlines have it
 *   # # # . #
 *   . . . . .      the right one is open
 */
test("holes are what no way leads out of, corners being no way", () => {
  const plane = Array.from(".###.#.#.####.#.....", (letter) => (letter === "#" ? 1 : 0));
  const cut = { axis: 0, at: 0, across: 2, down: 1 };
  expect(offsets((take) => holes(plane, [1, 4, 5], cut, 1, take))).toEqual([6]);
});

test("undone, edits leave no trace; redone, they are as before", () => {
  const draw = random(11);
  const labels = new Labels(SHAPE, 5);
  const history = new History();
  const states = [labels.data.slice()];
  for (let deed = 0; deed < 40; deed++) {
    const step = labels.begin(Math.floor(draw() * 6));
    for (let i = 0; i < 60; i++) labels.set(step, Math.floor(draw() * draw() * labels.data.length));
    const start = Math.floor(draw() * 400);
    for (let i = start; i < start + 60; i++) labels.set(step, i);
    history.add({ steps: [step] });
    states.push(labels.data.slice());
  }
  const counted = () => {
    const counts = Array.from({ length: 6 }, () => 0);
    for (const value of labels.data) counts[value]! += 1;
    return counts;
  };
  for (let at = 39; at >= 0; at--) {
    for (const step of [...history.undo()!.steps].reverse()) labels.undo(step);
    expect(labels.data).toEqual(states[at]);
    expect(Array.from({ length: 6 }, (_, label) => labels.counts[label] ?? 0)).toEqual(counted());
  }
  expect(history.undo()).toBeUndefined();
  for (let at = 1; at <= 40; at++) {
    for (const step of history.redo()!.steps) labels.redo(step);
    expect(labels.data).toEqual(states[at]);
  }
  expect(history.canRedo).toBe(false);
});

test("a step tells which outlines it makes stale", () => {
  const labels = new Labels([3, 2, 2], 2);
  const first = labels.begin(1);
  for (const offset of [2, 3, 4]) labels.set(first, offset);
  const told = () => Array.from(labels.stale, ([slice, { labels: those, top, bottom }]) => [slice, [...those], top, bottom]);
  expect(told()).toEqual([[0, [1], 1, 1], [1, [1], 0, 0]]);
  labels.stale.clear();
  const second = labels.begin(2);
  labels.set(second, 4);
  expect(told()).toEqual([[1, [1, 2], 0, 0]]);
});

test("the history keeps within its bound and forgets the oldest first", () => {
  const history = new History(100);
  const deeds: Deed[] = Array.from({ length: 9 }, (_, i) => ({ steps: [{ runs: Array(12).fill(i), value: 1 }] }));
  for (const deed of deeds) history.add(deed);
  const undone: Deed[] = [];
  for (let deed = history.undo(); deed; deed = history.undo()) undone.push(deed);
  expect(undone).toEqual(deeds.slice(-5).reverse());
});

test("labels are sent with their place in the patient, their names and colours", () => {
  const grid = { shape: SHAPE, channels: 1, dtype: "int16", affine: TILTED, unit: "mm", modality: "CT" };
  const header = headerOf(grid, 1, [{ id: 7, name: " kidney \n left", colour: "#ff8000" }]);
  expect(header).toContain("sizes: 11 9 5\n");
  expect(header).toContain("space directions: (0.7,0,0) (0,1.3,0.2) (0,1.1,4)\n");
  expect(header).toContain("space origin: (-8,3,1)\n");
  expect(header).toContain("Segment0_Name:=kidney left\nSegment0_Color:=1.00000 0.501961 0.00000\nSegment0_LabelValue:=7\n");
  expect(header.endsWith("\n\n")).toBe(true);
});
