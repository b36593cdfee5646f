/**
 * Outlines of one label in one slice, along the edges between samples.
 *
 * The same rings, in the same order and sense and from the same corner on, as the service draws
 * (`delineate.contour.trace_kernel`, which has the method in words).
 */

import type { Ring } from "../imaging/outline";

interface Walked extends Ring {
  readonly component: number;
}

export class Tracer {
  readonly #width: number;
  /** 1 where the label is; one sample of background wider on every side. */
  readonly #frame: Uint8Array;
  /** Component whose ring climbs the left side of a sample. */
  readonly #owner: Int32Array;
  /** Of ambiguous corners: one more than their place in the walk. */
  readonly #place: Int32Array;
  readonly #corners: Int32Array;
  readonly #ambiguous: Uint8Array;

  constructor(
    readonly rows: number,
    readonly columns: number,
  ) {
    this.#width = columns + 2;
    const size = (rows + 2) * this.#width;
    this.#frame = new Uint8Array(size);
    this.#owner = new Int32Array(size);
    this.#place = new Int32Array(size);
    this.#corners = new Int32Array(2 * size);
    this.#ambiguous = new Uint8Array(2 * size);
  }

  /**
   * Outer rings, each before its holes.
   *
   * `plane` holds the slice row by row; only rows `top` to `bottom` are looked at.
   */
  trace(plane: ArrayLike<number>, label: number, slice: number, top = 0, bottom = this.rows - 1): Ring[] {
    const starts = this.#lay(plane, label, top, bottom);
    const rings: Walked[] = [];
    const [frame, owner, width] = [this.#frame, this.#owner, this.#width];
    let components = 0;
    for (const at of starts) {
      if (owner[at]) continue;
      let component = components + 1;
      if (frame[at - width]) {
        let west = at - width;
        while (frame[west - 1]) west -= 1;
        component = owner[west]!;
      } else components += 1;
      const [count, pinched] = this.#follow(at, component);
      const rest = pinched ? this.#split(count, component, slice, rings) : count;
      rings.push(this.#ring(0, rest, component, slice));
    }
    return rings
      .sort((one, other) => one.component - other.component || Number(one.hole) - Number(other.hole))
      .map(({ component: _, ...ring }) => ring);
  }

  /** Mark the label in the frame; the samples at which a run of it begins. */
  #lay(plane: ArrayLike<number>, label: number, top: number, bottom: number): number[] {
    const [frame, width, columns] = [this.#frame, this.#width, this.columns];
    for (const each of [frame, this.#owner]) each.fill(0, top * width, (bottom + 3) * width);
    const starts: number[] = [];
    for (let r = top, from = top * columns; r <= bottom; r++) {
      let to = (r + 1) * width + 1;
      for (let c = 0; c < columns; c++, from++, to++) {
        if (plane[from] !== label) continue;
        frame[to] = 1;
        if (!frame[to - 1]) starts.push(to);
      }
    }
    return starts;
  }

  /** Walk round a ring with its samples on the right hand; how many corners, and if any is ambiguous. */
  #follow(start: number, component: number): [number, boolean] {
    const [frame, width] = [this.#frame, this.#width];
    const steps = [-width, 1, width, -1];
    let [at, heading, count, pinched] = [start, 0, 0, false];
    do {
      if (heading === 0) this.#owner[at] = component;
      const ahead = at + steps[heading]!;
      const beside = ahead + steps[(heading + 3) & 3]!;
      const [right, left] = [frame[ahead]!, frame[beside]!];
      this.#corners[count] = at + (heading >> 1) * width + (((heading + 1) >> 1) & 1);
      this.#ambiguous[count] = left & (1 - right);
      if (left && !right) pinched = true;
      const turns = left | (1 - right);
      count += turns;
      if (right) at = left ? beside : ahead;
      heading = (heading + turns * (1 + 2 * right)) & 3;
    } while (at !== start || heading !== 0);
    return [count, pinched];
  }

  /** Take all rings but the last off a walk that passes corners twice; how many corners are left. */
  #split(count: number, component: number, slice: number, rings: Walked[]): number {
    const [corners, ambiguous, place] = [this.#corners, this.#ambiguous, this.#place];
    let top = 0;
    for (let i = 0; i < count; i++) {
      const [corner, unsure] = [corners[i]!, ambiguous[i]!];
      const start = unsure ? place[corner]! - 1 : -1;
      if (start < 0) {
        corners[top] = corner;
        ambiguous[top] = unsure;
        top += 1;
        if (unsure) place[corner] = top;
        continue;
      }
      rings.push(this.#ring(start, top, component, slice));
      for (let j = start + 1; j < top; j++) place[corners[j]!] = 0;
      top = start + 1;
    }
    for (let j = 0; j < top; j++) place[corners[j]!] = 0;
    return top;
  }

  #ring(start: number, stop: number, component: number, slice: number): Walked {
    const width = this.#width;
    const points = new Float32Array(2 * (stop - start));
    let before = Math.floor(this.#corners[stop - 1]! / width);
    let area = 0;
    let [r0, r1, c0, c1] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let i = start, n = 0; i < stop; i++) {
      const corner = this.#corners[i]!;
      const r = Math.floor(corner / width);
      const c = corner - r * width;
      area += c * (r - before);
      before = r;
      points[n++] = r - 1.5;
      points[n++] = c - 1.5;
      r0 = Math.min(r0, r);
      r1 = Math.max(r1, r);
      c0 = Math.min(c0, c);
      c1 = Math.max(c1, c);
    }
    return {
      slice,
      hole: area < 0,
      points,
      rows: [r0 - 1.5, r1 - 1.5],
      columns: [c0 - 1.5, c1 - 1.5],
      component,
    };
  }
}
