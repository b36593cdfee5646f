/** What is told of the place under the mouse. */

import type { Vec3 } from "../imaging/affine";
import { sampleAt, toIndex, toWorld, type Volume } from "../imaging/volume";
import type { Pane, Under } from "./pane";
import { spoken, t } from "./texts";

/** Samples of a result beside those of the image. */
export interface Beside {
  readonly volume: Volume;
  readonly kind: "score" | "restored";
}

/** Sample, place, what the result has there, names of what lies there; nothing outside of the image. */
export function readoutOf(
  pane: Pane,
  index: Vec3 | undefined,
  under: readonly Under[],
  beside: Beside | undefined,
): readonly string[] {
  const { volume, store } = pane;
  const values = index && pane.source.valuesAt(index, store.value);
  if (!index || !values) return [];
  const { modality, unit } = volume;
  const round = (value: number) => Number(value.toFixed(Number.isInteger(value) ? 0 : 2));
  const slab = pane.source.slabOf(store.value);
  const world = toWorld(volume, index).slice(0, modality === "photo" || unit === "px" ? 2 : 3);
  return [
    `${slab ? `${t(`slab.${slab.projection}`)} ` : ""}${values.map(round).join(", ")}${modality === "CT" ? " HU" : ""}`,
    `${world.map((part) => part.toFixed(unit === "mm" ? 1 : 0)).join(", ")} ${unit}`,
    ...besideAt(toWorld(volume, index), beside),
    ...under.map(({ name, score }) => (score === undefined ? spoken(name) : `${spoken(name)} ${score.toFixed(2)}`)),
  ];
}

function besideAt(place: Vec3, beside: Beside | undefined): string[] {
  const values = beside && sampleAt(beside.volume, toIndex(beside.volume, place));
  if (!values) return [];
  const told = values.map((value) => Number(value.toPrecision(4))).join(", ");
  return [t(beside.kind === "restored" ? "view.restoredValue" : "view.score", { values: told })];
}
