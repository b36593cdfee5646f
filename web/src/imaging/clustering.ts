/** Coarser surfaces, for machines that draw in software while somebody turns them. */

export interface Triangles {
  /** `x, y, z, x, y, z, ...` */
  readonly positions: Float32Array;
  /** Three vertices a triangle. */
  readonly index: Uint32Array;
}

/**
 * Join the vertices of each cube of a lattice to one, at their mean (Rossignac and Borrel, 1993).
 *
 * No vertex moves farther than the diagonal of a cube of side `cell`; triangles whose corners came
 * together are gone.
 */
export function clustered(positions: ArrayLike<number>, index: ArrayLike<number>, cell: number): Triangles {
  const count = positions.length / 3;
  const joined = new Uint32Array(count);
  const cells = new Map<number, number>();
  const sums: number[] = [];
  // Lattice coordinates of 21 bits would not fit a whole number; 17 hold 131 m at 1 mm.
  const side = 2 ** 17;
  const on = (value: number) => Math.floor(value / cell) + side / 2;
  for (let i = 0; i < count; i++) {
    const [x, y, z] = [positions[3 * i]!, positions[3 * i + 1]!, positions[3 * i + 2]!];
    const key = (on(x) * side + on(y)) * side + on(z);
    let place = cells.get(key);
    if (place === undefined) {
      place = cells.size;
      cells.set(key, place);
      sums.push(0, 0, 0, 0);
    }
    joined[i] = place;
    sums[4 * place]! += x;
    sums[4 * place + 1]! += y;
    sums[4 * place + 2]! += z;
    sums[4 * place + 3]! += 1;
  }
  const corners: number[] = [];
  for (let i = 0; i + 2 < index.length; i += 3) {
    const [a, b, c] = [joined[index[i]!]!, joined[index[i + 1]!]!, joined[index[i + 2]!]!];
    if (a !== b && b !== c && c !== a) corners.push(a, b, c);
  }
  const means = Float32Array.from({ length: 3 * cells.size }, (_, i) => {
    const place = Math.floor(i / 3);
    return sums[4 * place + (i % 3)]! / sums[4 * place + 3]!;
  });
  return { positions: means, index: Uint32Array.from(corners) };
}
