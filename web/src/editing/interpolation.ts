/**
 * Shapes between two shapes: where the mean of their signed distances is negative.
 *
 * Raya and Udupa, "Shape-based interpolation of multidimensional objects", IEEE Trans. Med. Imaging
 * 9(1), 1990, doi:10.1109/42.52980; exact distances by Felzenszwalb and Huttenlocher, "Distance
 * transforms of sampled functions", Theory of Computing 8, 2012, doi:10.4086/toc.2012.v008a019.
 */

type Plane = Uint8Array;

/**
 * `count` shapes at even steps from one to the other, both excluded.
 *
 * Shapes are 1 inside and 0 outside, row by row; `spacing` is that of rows and of columns, in mm.
 */
export function between(
  from: Plane,
  to: Plane,
  rows: number,
  columns: number,
  spacing: readonly [number, number],
  count: number,
): Plane[] {
  const [near, far] = [from, to].map((shape) => signed(shape, rows, columns, spacing)) as [Float64Array, Float64Array];
  return Array.from({ length: count }, (_, i) => {
    const part = (i + 1) / (count + 1);
    return Uint8Array.from(near, (distance, at) => Number((1 - part) * distance + part * far[at]! < 0));
  });
}

/** Distance of each sample to the border of a shape, negative inside; the border runs midway. */
export function signed(shape: Plane, rows: number, columns: number, spacing: readonly [number, number]): Float64Array {
  const outer = distances(shape, 1, rows, columns, spacing);
  const inner = distances(shape, 0, rows, columns, spacing);
  const half = Math.min(...spacing) / 2;
  return Float64Array.from(shape, (inside, at) => (inside ? half - inner[at]! : outer[at]! - half));
}

/** Distance of each sample to the nearest one of a value. */
function distances(shape: Plane, value: number, rows: number, columns: number, [down, across]: readonly [number, number]): Float64Array {
  const far = (rows * down) ** 2 + (columns * across) ** 2;
  const squares = Float64Array.from(shape, (each) => (each === value ? 0 : far));
  const line = new Float64Array(Math.max(rows, columns));
  const pass = (start: number, step: number, length: number, width: number) => {
    for (let i = 0; i < length; i++) line[i] = squares[start + i * step]!;
    lowest(line, length, width, (i, square) => (squares[start + i * step] = square));
  };
  for (let c = 0; c < columns; c++) pass(c, columns, rows, down);
  for (let r = 0; r < rows; r++) pass(r * columns, 1, columns, across);
  return squares.map(Math.sqrt);
}

/** The lower envelope of parabolas that stand on each value of a line. */
function lowest(line: Float64Array, length: number, width: number, tell: (i: number, square: number) => void): void {
  const [places, starts] = [new Int32Array(length), new Float64Array(length + 1)];
  const meet = (p: number, q: number) =>
    (line[q]! - line[p]! + width * width * (q * q - p * p)) / (2 * width * width * (q - p));
  let last = 0;
  starts[0] = -Infinity;
  starts[1] = Infinity;
  for (let q = 1; q < length; q++) {
    let start = meet(places[last]!, q);
    while (start <= starts[last]!) start = meet(places[--last]!, q);
    places[++last] = q;
    starts[last] = start;
    starts[last + 1] = Infinity;
  }
  const found = new Float64Array(length);
  for (let i = 0, k = 0; i < length; i++) {
    while (starts[k + 1]! < i) k += 1;
    found[i] = (width * (i - places[k]!)) ** 2 + line[places[k]!]!;
  }
  found.forEach((square, i) => tell(i, square));
}
