/** Findings of one category as one layer that is shown and hidden together. */

import type { Finding } from "../service/documents";
import { type Affine, apply, type Vec3 } from "./affine";
import { type Ring, toRing } from "./outline";

export interface Box {
  readonly low: Vec3;
  readonly high: Vec3;
}

/** One finding with a place of its own, in indices. */
export interface Item {
  readonly id: number;
  readonly score: number | null;
  readonly place: Vec3;
  /** Opposite corners around it; those of a point are the point. */
  readonly low: Vec3;
  readonly high: Vec3;
}

export interface Layer {
  readonly name: string;
  readonly colour: string;
  /** Dashes in pixels; tells apart layers that share a colour. */
  readonly dash: readonly number[];
  readonly laterality: string | null;
  readonly findings: readonly Finding[];
  readonly found: boolean;
  /** Number of contours on all slices. */
  readonly contours: number;
  readonly rings: ReadonlyMap<number, readonly Ring[]>;
  readonly points: readonly Vec3[];
  readonly boxes: readonly Box[];
  readonly items: readonly Item[];
}

const DASHES: readonly (readonly number[])[] = [[], [7, 4], [2, 4], [10, 4, 2, 4]];

/** In the order in which each category is first met; all positions become indices. */
export function layersOf(findings: readonly Finding[], inverse: Affine): Layer[] {
  const groups = new Map<string, Finding[]>();
  for (const finding of findings) {
    const group = groups.get(finding.category.name);
    if (group) group.push(finding);
    else groups.set(finding.category.name, [finding]);
  }
  const used = new Map<string, number>();
  return Array.from(groups, ([name, group]) => {
    const { colour, laterality } = group[0]!.category;
    const repeat = used.get(colour) ?? 0;
    const found = group.some(isFound);
    if (found) used.set(colour, repeat + 1);
    const rings = new Map<number, Ring[]>();
    const items = group.flatMap((finding) => {
      const own = finding.contours.map((contour) => toRing(contour, inverse));
      for (const ring of own) {
        const others = rings.get(ring.slice);
        if (others) others.push(ring);
        else rings.set(ring.slice, [ring]);
      }
      return itemOf(finding, own, inverse) ?? [];
    });
    return {
      name,
      colour: /^#[0-9a-f]{6}$/i.test(colour) ? colour : "#ffffff",
      dash: DASHES[repeat % DASHES.length]!,
      laterality,
      findings: group,
      found,
      contours: group.reduce((sum, finding) => sum + finding.contours.length, 0),
      rings,
      points: group.flatMap(({ point }) => (point ? [apply(inverse, point)] : [])),
      boxes: group.flatMap(({ box }) => (box ? [boxOf(box, inverse)] : [])),
      items,
    };
  });
}

/** Its point, else the middle of its box, else that of its first outline. */
function itemOf(finding: Finding, rings: readonly Ring[], inverse: Affine): Item | undefined {
  const { id, score, point, box } = finding;
  const [ring] = rings;
  const bounds = box
    ? boxOf(box, inverse)
    : ring && {
        low: [ring.slice, ring.rows[0], ring.columns[0]] as Vec3,
        high: [ring.slice, ring.rows[1], ring.columns[1]] as Vec3,
      };
  const middle = bounds && (bounds.low.map((low, i) => (low + bounds.high[i]!) / 2) as unknown as Vec3);
  const place = point ? apply(inverse, point) : middle;
  return place && { id, score, place, low: bounds?.low ?? place, high: bounds?.high ?? place };
}

/** The smallest of a layer's items at a place of a slice; points count from `reach` indices on. */
export function itemAt(layer: Layer, [slice, row, column]: Vec3, reach: number): Item | undefined {
  const size = ({ low, high }: Item) => (high[1] - low[1]) * (high[2] - low[2]);
  return layer.items
    .filter((item) => {
      if (!boxMeets(item, slice) && Math.round(item.place[0]) !== slice) return false;
      const { low, high } = item;
      if (Math.hypot(item.place[1] - row, item.place[2] - column) <= reach) return true;
      return low[1] <= row && row <= high[1] && low[2] <= column && column <= high[2];
    })
    .sort((one, other) => size(one) - size(other))[0];
}

/** A structure that was looked for and not found has no place and not a single sample. */
function isFound({ contours, point, box, measurements }: Finding): boolean {
  if (contours.length || point || box) return true;
  return (measurements.voxels ?? measurements.volume_ml ?? 1) > 0;
}

function boxOf(box: readonly [Vec3, Vec3], inverse: Affine): Box {
  const [p, q] = [apply(inverse, box[0]), apply(inverse, box[1])];
  const pick = (choose: (...values: number[]) => number): Vec3 => [
    choose(p[0], q[0]),
    choose(p[1], q[1]),
    choose(p[2], q[2]),
  ];
  return { low: pick(Math.min), high: pick(Math.max) };
}

/** Whether a box reaches into a slice. */
export function boxMeets(box: Box, slice: number): boolean {
  const rounding = 1e-3;
  return box.low[0] - rounding <= slice && slice <= box.high[0] + rounding;
}

/** Slices on which there is something of a layer, ascending. */
export function slicesOf(layer: Layer): number[] {
  const slices = new Set(layer.rings.keys());
  for (const point of layer.points) slices.add(Math.round(point[0]));
  for (const { low, high } of layer.boxes) slices.add(Math.round((low[0] + high[0]) / 2));
  return [...slices].sort((a, b) => a - b);
}

/** Index to go to: the middle of the slices, and there the middle of what is shown. */
export function middleOf(layer: Layer): Vec3 | undefined {
  const slices = slicesOf(layer);
  const slice = slices[Math.floor((slices.length - 1) / 2)];
  if (slice === undefined) return undefined;
  const rings = layer.rings.get(slice) ?? [];
  const size = (ring: Ring) =>
    (ring.rows[1] - ring.rows[0]) * (ring.columns[1] - ring.columns[0]);
  const [largest] = [...rings].sort((a, b) => size(b) - size(a));
  if (largest) {
    const [rows, columns] = [largest.rows, largest.columns];
    return [slice, (rows[0] + rows[1]) / 2, (columns[0] + columns[1]) / 2];
  }
  const point = layer.points.find((place) => Math.round(place[0]) === slice);
  if (point) return point;
  const box = layer.boxes.find((place) => boxMeets(place, slice));
  return box && [slice, (box.low[1] + box.high[1]) / 2, (box.low[2] + box.high[2]) / 2];
}

/** How many outlines, points and boxes of a layer lie on a slice. */
export function countOn(layer: Layer, slice: number): number {
  return (
    (layer.rings.get(slice)?.length ?? 0) +
    layer.points.filter((point) => Math.round(point[0]) === slice).length +
    layer.boxes.filter((box) => boxMeets(box, slice)).length
  );
}

export interface Summary {
  readonly volume_ml: number | undefined;
  readonly area_mm2: number | undefined;
  readonly area_px: number | undefined;
  readonly mean_hu: number | undefined;
  readonly score: number | undefined;
  readonly notes: readonly string[];
}

/** Sums and means over the findings of a layer; HU are weighted by volume. */
export function summaryOf(layer: Layer): Summary {
  const known = <T>(value: T | null | undefined): value is T => value !== null && value !== undefined;
  const total = (name: "volume_ml" | "area_mm2" | "area_px") => {
    const values = layer.findings.map((finding) => finding.measurements[name]).filter(known);
    return values.length ? values.reduce((sum, value) => sum + value, 0) : undefined;
  };
  const weighted = layer.findings.filter((finding) => known(finding.measurements.mean_hu));
  const weight = (finding: Finding) => finding.measurements.volume_ml || 1e-9;
  const weights = weighted.reduce((sum, finding) => sum + weight(finding), 0);
  const scores = layer.findings.map((finding) => finding.score).filter(known);
  return {
    volume_ml: total("volume_ml"),
    area_mm2: total("area_mm2"),
    area_px: total("area_px"),
    mean_hu: weighted.length
      ? weighted.reduce((sum, f) => sum + weight(f) * f.measurements.mean_hu!, 0) / weights
      : undefined,
    score: scores.length ? scores.reduce((sum, score) => sum + score, 0) / scores.length : undefined,
    notes: [...new Set(layer.findings.flatMap((finding) => finding.notes))],
  };
}
