/** Two results on one image, drawn together on the planes. */

import type { Layer } from "../imaging/layer";
import type { Plane } from "../imaging/orientation";
import type { Matrix } from "../imaging/viewport";
import { drawDivider, type Ground, movedBy, type Shape, shapeOf, strokeOutline } from "./drawing";
import type { ViewState } from "./store";
import { t } from "./texts";

export const MODES = ["both", "this", "other", "swipe", "differences"] as const;
export type Mode = (typeof MODES)[number];

/** Of Okabe and Ito's palette: told apart by all eyes. */
export const COLOURS = { onlyThis: "#56b4e9", onlyOther: "#e69f00", otherName: "#cc79a7", inBoth: "#009e73" } as const;
const OPACITY = { only: 0.62, both: 0.25 };
export const DASH = [6, 4];

/** Draws two results together, in place of the one. */
export interface Together {
  mode: Mode;
  /** `shapes` are those of the one that is shown, by name. */
  draw(ground: Ground, plane: Plane, state: ViewState, shapes: ReadonlyMap<string, Shape>): void;
}

/** One structure: as this result has it, and as the other one does; one of them may lack it. */
export interface Pair {
  readonly ours: Layer | undefined;
  readonly theirs: Layer | undefined;
}

export class Differences implements Together {
  mode: Mode = "both";
  readonly #pairs: readonly Pair[];
  readonly #theirs = new Map<string, { at: number; readonly shapes: Map<Layer, Shape> }>();

  constructor(pairs: readonly Pair[]) {
    this.#pairs = pairs.map(({ ours, theirs }) => ({ ours, theirs: theirs && dashed(theirs, ours) }));
  }

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
      const drawn = seen.map(({ ours, theirs }) => [ours && shapes.get(ours.name), theirs && others.get(theirs)] as const);
      for (const [one, two] of drawn) this.#shared(ground, one, two);
      this.#different(ground, drawn);
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

  #shared(ground: Ground, ours: Shape | undefined, theirs: Shape | undefined): void {
    const moved = movedBy(ground.matrix);
    within(ground.context, ours && moved(ours.area), theirs && moved(theirs.area), COLOURS.inBoth, OPACITY.both);
  }

  /** What only one has, by its colour; what both have under two names by a colour of its own. */
  #different(ground: Ground, drawn: readonly (readonly [Shape | undefined, Shape | undefined])[]): void {
    const { width, height } = ground.context.canvas;
    const [here, there, renamed] = [0, 1, 2].map(() => new OffscreenCanvas(width, height).getContext("2d")!);
    for (const [ours, theirs] of drawn) {
      only(here!, ground.matrix, ours, theirs, COLOURS.onlyThis);
      only(there!, ground.matrix, theirs, ours, COLOURS.onlyOther);
    }
    renamed!.drawImage(here!.canvas, 0, 0);
    renamed!.globalCompositeOperation = "source-in";
    renamed!.drawImage(there!.canvas, 0, 0);
    renamed!.fillStyle = COLOURS.otherName;
    renamed!.fillRect(0, 0, width, height);
    for (const part of [here!, there!]) {
      part.globalCompositeOperation = "destination-out";
      part.drawImage(renamed!.canvas, 0, 0);
    }
    ground.context.globalAlpha = OPACITY.only;
    for (const part of [here!, there!, renamed!]) ground.context.drawImage(part.canvas, 0, 0);
    ground.context.globalAlpha = 1;
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

/** The part of an area that is not of another: the areas of both by the even-odd rule, within the first. */
function only(
  context: OffscreenCanvasRenderingContext2D,
  matrix: Matrix,
  mine: Shape | undefined,
  other: Shape | undefined,
  colour: string,
): void {
  if (!mine) return;
  const moved = movedBy(matrix);
  const area = moved(mine.area);
  const either = new Path2D(area);
  if (other) either.addPath(moved(other.area));
  within(context, area, either, colour, 1);
}

function within(
  context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D,
  area: Path2D | undefined,
  path: Path2D | undefined,
  colour: string,
  opacity: number,
): void {
  if (!area || !path) return;
  context.save();
  context.clip(area, "evenodd");
  context.globalAlpha = opacity;
  context.fillStyle = colour;
  context.fill(path, "evenodd");
  context.restore();
}

export function clipped(context: CanvasRenderingContext2D, from: number, to: number, height: number, draw: () => void): void {
  context.save();
  const part = new Path2D();
  part.rect(from, 0, to - from, height);
  context.clip(part);
  draw();
  context.restore();
}
