/** Two results on one image, drawn together on the planes. */

import type { Layer } from "../imaging/layer";
import type { Plane } from "../imaging/orientation";
import { drawDivider, type Ground, movedBy, type Shape, shapeOf, strokeOutline } from "./drawing";
import type { ViewState } from "./store";
import { t } from "./texts";

export const MODES = ["both", "this", "other", "swipe", "differences"] as const;
export type Mode = (typeof MODES)[number];

/** Of Okabe and Ito's palette: told apart by all eyes. */
export const COLOURS = { onlyThis: "#56b4e9", onlyOther: "#e69f00", inBoth: "#009e73" } as const;
const OPACITY = { only: 0.62, both: 0.25 };
const DASH = [6, 4];

/** One structure: as this result has it, and as the other one does; one of them may lack it. */
export interface Pair {
  readonly ours: Layer | undefined;
  readonly theirs: Layer | undefined;
}

export class Differences {
  mode: Mode = "both";
  readonly #pairs: readonly Pair[];
  readonly #theirs = new Map<string, { at: number; readonly shapes: Map<Layer, Shape> }>();

  constructor(pairs: readonly Pair[]) {
    this.#pairs = pairs.map(({ ours, theirs }) => ({ ours, theirs: theirs && dashed(theirs, ours) }));
  }

  /** Draw both on a plane; `shapes` are this result's, by name. */
  draw(ground: Ground, plane: Plane, state: ViewState, shapes: ReadonlyMap<string, Shape>): void {
    const others = this.#shapesOn(plane, state.at[plane.axis]);
    const { context } = ground;
    const { width, height } = context.canvas;
    const seen = this.#pairs.filter(({ ours, theirs }) => !state.hidden.has((ours ?? theirs)!.name));
    const own = () => this.#side(ground, state, seen.map(({ ours }) => [ours, ours && shapes.get(ours.name)] as const));
    const other = () => this.#side(ground, state, seen.map(({ theirs }) => [theirs, theirs && others.get(theirs)] as const));
    if (this.mode === "swipe") {
      const middle = state.divider * width;
      clipped(context, 0, middle, height, other);
      clipped(context, middle, width, height, own);
      drawDivider(ground, middle, [t("compare.other"), t("compare.this")]);
      return;
    }
    if (this.mode === "differences") {
      for (const { ours, theirs } of seen) {
        this.#difference(ground, ours && shapes.get(ours.name), theirs && others.get(theirs));
      }
      if (!state.outline) return;
    }
    if (this.mode !== "other") own();
    if (this.mode !== "this") other();
  }

  #side(ground: Ground, state: ViewState, drawn: readonly (readonly [Layer | undefined, Shape | undefined])[]): void {
    const { context, matrix } = ground;
    const moved = movedBy(matrix);
    for (const [layer, shape] of drawn) {
      if (!layer || !shape) continue;
      if (state.fill > 0 && this.mode !== "differences") {
        context.globalAlpha = state.fill;
        context.fillStyle = layer.colour;
        context.fill(moved(shape.area), "evenodd");
        context.globalAlpha = 1;
      }
      if (state.outline) strokeOutline(ground, moved(shape.outline), layer);
    }
  }

  /** What only one has: the areas of both by the even-odd rule, within that one's area. */
  #difference({ context, matrix }: Ground, ours: Shape | undefined, theirs: Shape | undefined): void {
    const moved = movedBy(matrix);
    const [one, two] = [ours && moved(ours.area), theirs && moved(theirs.area)];
    const either = new Path2D();
    for (const path of [one, two]) if (path) either.addPath(path);
    const within = (area: Path2D | undefined, path: Path2D | undefined, colour: string, opacity: number) => {
      if (!area || !path) return;
      context.save();
      context.clip(area, "evenodd");
      context.globalAlpha = opacity;
      context.fillStyle = colour;
      context.fill(path, "evenodd");
      context.restore();
    };
    within(one, either, COLOURS.onlyThis, OPACITY.only);
    within(two, either, COLOURS.onlyOther, OPACITY.only);
    within(one, two, COLOURS.inBoth, OPACITY.both);
  }

  #shapesOn(plane: Plane, at: number): ReadonlyMap<Layer, Shape> {
    const kept = this.#theirs.get(plane.name);
    if (kept?.at === at) return kept.shapes;
    const shapes = new Map<Layer, Shape>();
    for (const { theirs } of this.#pairs) {
      const shape = theirs && shapeOf(theirs, plane, at);
      if (shape) shapes.set(theirs, shape);
    }
    this.#theirs.set(plane.name, { at, shapes });
    return shapes;
  }
}

/** The other result's layer in the colour of its partner. */
function dashed(theirs: Layer, ours: Layer | undefined): Layer {
  return { ...theirs, colour: (ours ?? theirs).colour, dash: DASH };
}

function clipped(context: CanvasRenderingContext2D, from: number, to: number, height: number, draw: () => void): void {
  context.save();
  const part = new Path2D();
  part.rect(from, 0, to - from, height);
  context.clip(part);
  draw();
  context.restore();
}
