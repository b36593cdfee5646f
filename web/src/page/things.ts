/** Things of two results on one picture: which of them are the same, and which only one has. */

import type { Affine } from "../imaging/affine";
import { type Item, type Layer, layersOf } from "../imaging/layer";
import type { Plane } from "../imaging/orientation";
import type { Things } from "../service/cases";
import type { Finding } from "../service/documents";
import { clipped, COLOURS, DASH, type Mode, type Together } from "./differences";
import { drawChosen, drawDivider, type Ground, marksOf, movedBy, shapeOf, strokeOutline } from "./drawing";
import type { ViewState } from "./store";
import { t } from "./texts";

type Kind = keyof typeof COLOURS;

export class ThingDifferences implements Together {
  mode: Mode = "differences";
  /** The one that was gone to. */
  chosen: Item | undefined;
  /** What only one has, or what the two call otherwise, from the top of the picture to its foot. */
  readonly differing: readonly { readonly kind: Kind; readonly name: string; readonly item: Item }[];
  readonly #ours: readonly Layer[];
  readonly #theirs: readonly Layer[];
  readonly #told: readonly Layer[];

  constructor(ours: readonly Finding[], theirs: readonly Finding[], inverse: Affine, { pairs }: Things) {
    const partner = new Map(pairs);
    const met = new Set(partner.values());
    const named = new Map(theirs.map(({ id, category }) => [id, category.name]));
    const kindOf = ({ id, category }: Finding): Kind => {
      const other = partner.get(id);
      if (other === undefined) return "onlyThis";
      return named.get(other) === category.name ? "inBoth" : "otherName";
    };
    const groups = (["inBoth", "otherName", "onlyThis"] as const).map(
      (kind) => [kind, ours.filter((one) => kindOf(one) === kind)] as const,
    );
    const all = [...groups, ["onlyOther", theirs.filter(({ id }) => !met.has(id))] as const].map(
      ([kind, findings]) => [kind, layersOf(findings, inverse)] as const,
    );
    this.#ours = layersOf(ours, inverse);
    this.#theirs = layersOf(theirs, inverse).map((layer) => ({ ...layer, dash: DASH }));
    this.#told = all.flatMap(([kind, layers]) =>
      layers.map((layer) => ({ ...layer, colour: COLOURS[kind], dash: kind === "onlyOther" ? DASH : [] })),
    );
    this.differing = all
      .filter(([kind]) => kind !== "inBoth")
      .flatMap(([kind, layers]) => layers.flatMap(({ name, items }) => items.map((item) => ({ kind, name, item }))))
      .sort((one, other) => byPlace(one.item, other.item));
  }

  draw(ground: Ground, plane: Plane, state: ViewState): void {
    const { context } = ground;
    const { width, height } = context.canvas;
    const side = (layers: readonly Layer[]) => () => drawThings(ground, plane, state, layers);
    if (this.mode === "swipe") {
      const middle = state.divider * width;
      clipped(context, 0, middle, height, side(this.#theirs));
      clipped(context, middle, width, height, side(this.#ours));
      drawDivider(ground, middle, [t("compare.other"), t("compare.this")]);
    } else if (this.mode === "differences") side(this.#told)();
    else {
      if (this.mode !== "other") side(this.#ours)();
      if (this.mode !== "this") side(this.#theirs)();
    }
    const { chosen } = this;
    if (chosen && plane.axis === 0 && Math.round(chosen.place[0]) === state.at[0]) drawChosen(ground, plane, chosen);
  }
}

/** Slice by slice, row by row, column by column. */
function byPlace({ place: one }: Item, { place: other }: Item): number {
  return one[0] - other[0] || one[1] - other[1] || one[2] - other[2];
}

function drawThings(ground: Ground, plane: Plane, state: ViewState, layers: readonly Layer[]): void {
  const moved = movedBy(ground.matrix);
  for (const layer of layers) {
    if (state.hidden.has(layer.name)) continue;
    const shape = shapeOf(layer, plane, state.at[plane.axis]);
    if (shape && state.outline) strokeOutline(ground, moved(shape.outline), layer);
    if (plane.axis === 0) strokeOutline(ground, marksOf(layer, plane, state.at[0], ground), layer);
  }
}
