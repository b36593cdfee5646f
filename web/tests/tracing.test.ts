import { expect, test } from "vitest";
import { Labels } from "../src/editing/labels";
import { Tracer } from "../src/editing/tracing";
import type { Ring } from "../src/imaging/outline";
import TRACED from "./traced.json";

interface Case {
  readonly plane: readonly string[];
  readonly rings: readonly (readonly [number, number, readonly number[]])[];
}

/** Slices and their outlines as the service draws them: tests/contour/test_page_outlines.py. */
const CASES = TRACED as unknown as readonly Case[];

const samples = ({ plane }: Case) => Uint8Array.from(plane.join(""), Number);
const corners = ({ points }: Ring) => Array.from(points, (place) => place + 0.5);

function traced(one: Case, tracer = new Tracer(one.plane.length, one.plane[0]!.length)) {
  return [1, 2, 3].flatMap((label) =>
    tracer.trace(samples(one), label, 0).map((ring) => [label, Number(ring.hole), corners(ring)]),
  );
}

test("outlines are those that the service draws, in order, sense and first corner too", () => {
  expect(CASES.length).toBe(240);
  for (const one of CASES) expect(traced(one)).toEqual(one.rings);
});

test("nothing is left over from one slice to the next", () => {
  const many = CASES.filter(({ plane }) => plane.length === 6 && plane[0]!.length === 6);
  const sized = many.length > 1 ? many : CASES.slice(0, 1);
  const tracer = new Tracer(sized[0]!.plane.length, sized[0]!.plane[0]!.length);
  for (const one of [...sized, ...sized]) expect(traced(one, tracer)).toEqual(one.rings);
});

test("filling the outlines gives the samples back", () => {
  for (const one of CASES) {
    const [rows, columns] = [one.plane.length, one.plane[0]!.length];
    const labels = new Labels([1, rows, columns], 3);
    const tracer = new Tracer(rows, columns);
    for (const label of [1, 2, 3]) expect(labels.fill(tracer.trace(samples(one), label, 0), label)).toBe(true);
    expect(labels.data).toEqual(samples(one));
    const held = [0, 1, 2, 3].map((label) => samples(one).filter((value) => value === label).length);
    expect(held.map((_, label) => labels.counts[label] ?? 0)).toEqual(held);
  }
});

test("structures that overlap make no label map", () => {
  const tracer = new Tracer(2, 2);
  const labels = new Labels([1, 2, 2], 2);
  expect(labels.fill(tracer.trace([1, 1, 0, 0], 1, 0), 1)).toBe(true);
  expect(labels.fill(tracer.trace([1, 0, 1, 0], 1, 0), 2)).toBe(false);
});
