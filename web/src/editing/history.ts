/** What was done and can be undone, within bounds. */

import type { Step } from "./labels";

export interface Structure {
  /** Its label. */
  readonly id: number;
  readonly name: string;
  /** As CSS has it: `#rrggbb`. */
  readonly colour: string;
}

/** One deed: samples that it set, or structures that it named, added or deleted. */
export interface Deed {
  readonly steps: readonly Step[];
  readonly before?: readonly Structure[];
  readonly after?: readonly Structure[];
}

/** Numbers that runs may take in all: 32 MB. */
const MOST = 4e6;

export class History {
  #done: Deed[] = [];
  #undone: Deed[] = [];
  #size = 0;

  constructor(readonly most = MOST) {}

  get canUndo(): boolean {
    return this.#done.length > 0;
  }

  get canRedo(): boolean {
    return this.#undone.length > 0;
  }

  /** Note a deed; the oldest are forgotten where they take too much room. */
  add(deed: Deed): void {
    for (const other of this.#undone) this.#size -= sizeOf(other);
    this.#undone = [];
    this.#done.push(deed);
    this.#size += sizeOf(deed);
    while (this.#size > this.most && this.#done.length > 1) this.#size -= sizeOf(this.#done.shift()!);
  }

  undo(): Deed | undefined {
    return move(this.#done, this.#undone);
  }

  redo(): Deed | undefined {
    return move(this.#undone, this.#done);
  }
}

function move(from: Deed[], to: Deed[]): Deed | undefined {
  const deed = from.pop();
  if (deed) to.push(deed);
  return deed;
}

const sizeOf = ({ steps }: Deed) => steps.reduce((sum, { runs }) => sum + runs.length, 8);
