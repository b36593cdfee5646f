/** Which samples a brush or a lasso takes. */

import { type Affine, dot, step, type Vec3 } from "../imaging/affine";

/** Inner products of the steps along the three array axes, in mm². */
export type Metric = readonly (readonly number[])[];

export function metricOf(affine: Affine): Metric {
  const steps = [0, 1, 2].map((axis) => step(affine, axis));
  return steps.map((one) => steps.map((other) => dot(one, other)));
}

export interface Brush {
  readonly radius: number;
  /** Axis along which it is one sample thick: a disc within a plane; nothing: a sphere. */
  readonly flat: number | undefined;
}

/**
 * Tell the offset of every sample that a brush passes on its way.
 *
 * These are the samples whose centres lie within `radius` mm of the way from one index to another;
 * and the one under its end, however small the brush is.
 */
export function sweep(
  shape: readonly [number, number, number],
  metric: Metric,
  { radius, flat }: Brush,
  from: Vec3,
  to: Vec3,
  take: (offset: number) => void,
): void {
  const axes = [0, 1, 2].filter((axis) => axis !== flat);
  const reach = reaches(metric, axes, radius);
  const low = [0, 1, 2].map((axis) => Math.max(0, Math.ceil(Math.min(from[axis]!, to[axis]!) - reach[axis]!)));
  const high = [0, 1, 2].map((axis) =>
    Math.min(shape[axis]! - 1, Math.floor(Math.max(from[axis]!, to[axis]!) + reach[axis]!)),
  );
  const way = [0, 1, 2].map((axis) => to[axis]! - from[axis]!);
  const pulled = metric.map((row) => row.reduce((sum, part, axis) => sum + part * way[axis]!, 0));
  const length2 = pulled.reduce((sum, part, axis) => sum + part * way[axis]!, 0);
  const [, rows, columns] = shape;
  const most = radius * radius * (1 + 1e-9);
  for (let k = low[0]!; k <= high[0]!; k++) {
    for (let r = low[1]!; r <= high[1]!; r++) {
      for (let c = low[2]!; c <= high[2]!; c++) {
        let [dk, dr, dc] = [k - from[0], r - from[1], c - from[2]];
        if (length2 > 0) {
          const part = (dk * pulled[0]! + dr * pulled[1]! + dc * pulled[2]!) / length2;
          const t = part < 0 ? 0 : part > 1 ? 1 : part;
          dk -= t * way[0]!;
          dr -= t * way[1]!;
          dc -= t * way[2]!;
        }
        if (square(metric, dk, dr, dc) <= most) take((k * rows + r) * columns + c);
      }
    }
  }
  const under = to.map(Math.round) as [number, number, number];
  if (under.every((at, axis) => at >= 0 && at < shape[axis]!)) {
    take((under[0] * rows + under[1]) * columns + under[2]);
  }
}

function square(metric: Metric, a: number, b: number, c: number): number {
  const [[aa, ab, ac], [, bb, bc], [, , cc]] = metric as [[number, number, number], [number, number, number], [number, number, number]];
  return aa * a * a + bb * b * b + cc * c * c + 2 * (ab * a * b + ac * a * c + bc * b * c);
}

/** How far a ball reaches along each index: the roots of the inverse metric's diagonal. */
function reaches(metric: Metric, axes: readonly number[], radius: number): number[] {
  const reach = [0, 0, 0];
  const all = determinant(axes.map((i) => axes.map((j) => metric[i]![j]!)));
  for (const axis of axes) {
    const rest = axes.filter((other) => other !== axis);
    const minor = determinant(rest.map((i) => rest.map((j) => metric[i]![j]!)));
    reach[axis] = radius * Math.sqrt(minor / all) + 1e-9;
  }
  return reach;
}

function determinant(matrix: readonly (readonly number[])[]): number {
  if (matrix.length === 0) return 1;
  if (matrix.length === 1) return matrix[0]![0]!;
  return matrix[0]!.reduce((sum, part, j) => {
    const minor = matrix.slice(1).map((row) => row.filter((_, other) => other !== j));
    return sum + (j % 2 ? -1 : 1) * part * determinant(minor);
  }, 0);
}

/** Where a slice lies in the array: its axis and index, and the axes across and down it. */
export interface Cut {
  readonly axis: number;
  readonly at: number;
  readonly across: number;
  readonly down: number;
}

/** Offset of the first sample of a cut, and the steps from one sample to the next across and down. */
export function layout(shape: readonly [number, number, number], { axis, at, across, down }: Cut): [number, number, number] {
  const steps = [shape[1] * shape[2], shape[2], 1];
  return [at * steps[axis]!, steps[across]!, steps[down]!];
}

/** Tell the offset of every sample of a cut whose centre is inside a polygon, by the even-odd rule. */
export function within(
  shape: readonly [number, number, number],
  cut: Cut,
  polygon: readonly (readonly [number, number])[],
  take: (offset: number) => void,
): void {
  const [first, dx, dy] = layout(shape, cut);
  const [width, height] = [shape[cut.across]!, shape[cut.down]!];
  const downs = polygon.map(([, y]) => y);
  const top = Math.max(0, Math.ceil(Math.min(...downs)));
  const bottom = Math.min(height - 1, Math.floor(Math.max(...downs)));
  for (let y = top; y <= bottom; y++) {
    const ends: number[] = [];
    polygon.forEach(([x0, y0], i) => {
      const [x1, y1] = polygon[(i + 1) % polygon.length]!;
      if (y0 <= y !== y1 <= y) ends.push(x0 + ((y - y0) / (y1 - y0)) * (x1 - x0));
    });
    ends.sort((p, q) => p - q);
    for (let i = 0; i + 1 < ends.length; i += 2) {
      const last = Math.min(width - 1, Math.ceil(ends[i + 1]!) - 1);
      for (let x = Math.max(0, Math.ceil(ends[i]!)); x <= last; x++) take(first + x * dx + y * dy);
    }
  }
}

/** Tell the offsets of a label's holes in a cut: what is not it, and has no way to the edge but through it. */
export function holes(
  data: ArrayLike<number>,
  shape: readonly [number, number, number],
  cut: Cut,
  label: number,
  take: (offset: number) => void,
): void {
  const [first, dx, dy] = layout(shape, cut);
  const [width, height] = [shape[cut.across]!, shape[cut.down]!];
  const outside = new Uint8Array(width * height);
  const queue: number[] = [];
  const reach = (x: number, y: number) => {
    if (x < 0 || y < 0 || x >= width || y >= height) return;
    const place = y * width + x;
    if (outside[place] || data[first + x * dx + y * dy] === label) return;
    outside[place] = 1;
    queue.push(place);
  };
  for (let x = 0; x < width; x++) [0, height - 1].forEach((y) => reach(x, y));
  for (let y = 0; y < height; y++) [0, width - 1].forEach((x) => reach(x, y));
  while (queue.length) {
    const place = queue.pop()!;
    const [x, y] = [place % width, Math.floor(place / width)];
    reach(x - 1, y);
    reach(x + 1, y);
    reach(x, y - 1);
    reach(x, y + 1);
  }
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const offset = first + x * dx + y * dy;
      if (!outside[y * width + x] && data[offset] !== label) take(offset);
    }
  }
}
