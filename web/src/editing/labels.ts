/** A label map that is edited: what was there before is told to whoever keeps the history. */

import type { Ring } from "../imaging/outline";

export type Samples = Uint8Array | Uint16Array;

/** Where outlines have changed in a slice: of which labels, and the first and last row. */
export interface Stale {
  readonly labels: Set<number>;
  top: number;
  bottom: number;
}

/** Samples that one step changed: `start, length, old value` of each run in a row, and the new one. */
export interface Step {
  readonly runs: number[];
  readonly value: number;
}

export class Labels {
  readonly data: Samples;
  /** Samples of one slice. */
  readonly area: number;
  /** How many samples each label has. */
  readonly counts: number[] = [];
  /** What is to be outlined anew, by slice; whoever does so empties it. */
  readonly stale = new Map<number, Stale>();

  constructor(
    /** Slices, rows, columns. */
    readonly shape: readonly [number, number, number],
    highest: number,
  ) {
    this.area = shape[1] * shape[2];
    const size = shape[0] * this.area;
    this.data = highest > 255 ? new Uint16Array(size) : new Uint8Array(size);
    this.counts[0] = size;
  }

  /** The largest label that there is room for. */
  get most(): number {
    return this.data.BYTES_PER_ELEMENT === 1 ? 255 : 65535;
  }

  slice(index: number): Samples {
    return this.data.subarray(index * this.area, (index + 1) * this.area);
  }

  /** Begin a step that sets samples to a value. */
  begin(value: number): Step {
    return { runs: [], value };
  }

  /** Set one sample as a part of a step. */
  set(step: Step, offset: number): void {
    const old = this.data[offset]!;
    if (old === step.value) return;
    this.data[offset] = step.value;
    this.#count(old, step.value, 1);
    const { runs } = step;
    const last = runs.length - 3;
    const goesOn = last >= 0 && runs[last]! + runs[last + 1]! === offset && runs[last + 2] === old;
    if (goesOn && offset % this.shape[2] !== 0) runs[last + 1]! += 1;
    else {
      runs.push(offset, 1, old);
      this.#mark(offset, old, step.value);
    }
  }

  undo({ runs, value }: Step): void {
    for (let i = runs.length - 3; i >= 0; i -= 3) this.#refill(runs[i]!, runs[i + 1]!, value, runs[i + 2]!);
  }

  redo({ runs, value }: Step): void {
    for (let i = 0; i < runs.length; i += 3) this.#refill(runs[i]!, runs[i + 1]!, runs[i + 2]!, value);
  }

  /** Take over a whole slice, such as one that was kept. */
  replace(index: number, samples: ArrayLike<number>): void {
    const here = this.slice(index);
    for (let i = 0; i < here.length; i++) {
      const [old, value] = [here[i]!, samples[i]!];
      if (old === value) continue;
      here[i] = value;
      this.#count(old, value, 1);
      this.#mark(index * this.area + i, old, value);
    }
  }

  /**
   * Fill one structure's outlines, which lie along the edges between samples.
   *
   * False, and what is filled so far stays, where it would cover another structure.
   */
  fill(rings: Iterable<Ring>, label: number): boolean {
    const [, rows, columns] = this.shape;
    const bySlice = new Map<number, Ring[]>();
    for (const ring of rings) {
      const others = bySlice.get(ring.slice);
      if (others) others.push(ring);
      else bySlice.set(ring.slice, [ring]);
    }
    const crossed = new Uint8Array(rows * (columns + 1));
    for (const [index, several] of bySlice) {
      const top = Math.min(...several.map((ring) => Math.round(ring.rows[0] + 0.5)));
      const bottom = Math.max(...several.map((ring) => Math.round(ring.rows[1] - 0.5)));
      crossed.fill(0, top * (columns + 1), (bottom + 1) * (columns + 1));
      for (const { points } of several) cross(points, crossed, columns + 1);
      const here = this.slice(index);
      for (let r = top; r <= bottom; r++) {
        for (let c = 0, inside = 0; c < columns; c++) {
          inside ^= crossed[r * (columns + 1) + c]!;
          if (!inside) continue;
          const old = here[r * columns + c]!;
          if (old) return false;
          here[r * columns + c] = label;
          this.#count(old, label, 1);
        }
      }
    }
    return true;
  }

  #refill(start: number, length: number, old: number, value: number): void {
    this.data.fill(value, start, start + length);
    this.#count(old, value, length);
    this.#mark(start, old, value);
  }

  #count(old: number, value: number, samples: number): void {
    this.counts[old] = (this.counts[old] ?? 0) - samples;
    this.counts[value] = (this.counts[value] ?? 0) + samples;
  }

  #mark(offset: number, ...labels: number[]): void {
    const slice = Math.floor(offset / this.area);
    const row = Math.floor((offset % this.area) / this.shape[2]);
    let here = this.stale.get(slice);
    if (!here) this.stale.set(slice, (here = { labels: new Set(), top: row, bottom: row }));
    here.top = Math.min(here.top, row);
    here.bottom = Math.max(here.bottom, row);
    for (const label of labels) if (label) here.labels.add(label);
  }
}

/** Note for each row where a ring's upright edges cross it. */
function cross(points: Float32Array, crossed: Uint8Array, width: number): void {
  const n = points.length;
  for (let i = 0; i < n; i += 2) {
    const j = (i + 2) % n;
    const column = Math.round(points[i + 1]! + 0.5);
    if (column !== Math.round(points[j + 1]! + 0.5)) continue;
    const [p, q] = [Math.round(points[i]! + 0.5), Math.round(points[j]! + 0.5)];
    for (let r = Math.min(p, q); r < Math.max(p, q); r++) crossed[r * width + column]! ^= 1;
  }
}
