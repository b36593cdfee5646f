/** What the viewer shows, in one value; everything on the page is drawn from it. */

import type { Vec3 } from "../imaging/affine";
import type { Measurement } from "../imaging/measuring";
import type { Axis } from "../imaging/orientation";
import type { Slab } from "../imaging/slab";
import { FITTED, type Viewport } from "../imaging/viewport";
import type { Window } from "../imaging/window";

/** What a drag with the left button does. */
export type Tool = "move" | "zoom" | "window" | Measurement["kind"];

export interface ViewState {
  /** Index of the crosshair, whole numbers. */
  readonly at: Vec3;
  readonly window: Window;
  /** One for each array axis. */
  readonly viewports: readonly [Viewport, Viewport, Viewport];
  /** Array axis of the large pane. */
  readonly main: Axis;
  /** Names of layers that are not drawn. */
  readonly hidden: ReadonlySet<string>;
  readonly outline: boolean;
  /** Opacity of the areas, 0 to 1. */
  readonly fill: number;
  readonly smooth: boolean;
  readonly crosshair: boolean;
  /** How many slices are seen at once. */
  readonly slab: Slab;
  readonly tool: Tool;
  readonly measurements: readonly Measurement[];
  /** One that is being drawn; its last place follows the mouse. */
  readonly draft: Measurement | undefined;
  /** Id of the one finding that is marked. */
  readonly chosen: number | undefined;
  /** The scores of a field as colours: from which score on, and how opaque at most, 0 to 1. */
  readonly heat: { readonly shown: boolean; readonly from: number; readonly opacity: number };
  /** Where there is a restored image: which of the two is shown. */
  readonly shown: "source" | "restored" | "split";
  /** Where the two meet, as a part of the pane's width. */
  readonly divider: number;
  /** Id of the job whose result this one is compared with. */
  readonly against: string | undefined;
}

export const INITIAL: ViewState = {
  at: [0, 0, 0],
  window: { centre: 40, width: 400 },
  viewports: [FITTED, FITTED, FITTED],
  main: 0,
  hidden: new Set(),
  outline: true,
  fill: 0.15,
  smooth: true,
  crosshair: true,
  slab: { projection: "none", thickness_mm: 10 },
  tool: "move",
  measurements: [],
  draft: undefined,
  chosen: undefined,
  heat: { shown: true, from: -Infinity, opacity: 0.9 },
  shown: "source",
  divider: 0.5,
  against: undefined,
};

/** Holds a value and tells of changes, at most once a frame. */
export class Store<T extends object> {
  #listeners: ((value: T) => void)[] = [];
  #pending = false;
  /** Counts what may change how slices look: all but a move to other slices. */
  looks = 0;

  constructor(public value: T) {}

  update(change: Partial<T>): void {
    this.value = { ...this.value, ...change };
    if (Object.keys(change).some((name) => name !== "at")) this.looks += 1;
    this.#announce();
  }

  /** Have everything drawn anew, for a change that is not in the value. */
  tell(): void {
    this.looks += 1;
    this.#announce();
  }

  #announce(): void {
    if (this.#pending) return;
    this.#pending = true;
    requestAnimationFrame(() => {
      this.#pending = false;
      for (const listener of this.#listeners) listener(this.value);
    });
  }

  listen(listener: (value: T) => void): void {
    this.#listeners.push(listener);
  }
}

/** With one of three replaced. */
export function replaced<A, B, C>(
  triple: readonly [A, B, C],
  axis: Axis,
  value: A & B & C,
): readonly [A, B, C] {
  const copy = [...triple] as [A, B, C];
  copy[axis] = value;
  return copy;
}
