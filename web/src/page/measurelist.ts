/** The list of what was measured. */

import { type Measurement, sliceOf, told } from "../imaging/measuring";
import { planeOf } from "../imaging/orientation";
import { clampIndex, type Volume } from "../imaging/volume";
import type { Vec3 } from "../imaging/affine";
import { fill, h } from "./dom";
import type { Store, ViewState } from "./store";
import { t } from "./texts";

export class MeasureList {
  readonly element = h("section", { class: "measures", "data-testid": "measures", hidden: true });
  readonly #rows = h("ul", {});
  #drawn: readonly Measurement[] = [];

  constructor(
    readonly volume: Volume,
    readonly store: Store<ViewState>,
  ) {
    fill(this.element, h("h2", {}, t("measures.title")), this.#rows);
  }

  draw(): void {
    const { measurements } = this.store.value;
    if (measurements === this.#drawn) return;
    this.#drawn = measurements;
    this.element.hidden = !measurements.length;
    fill(this.#rows, ...measurements.map((one) => this.#row(one)));
  }

  #row(one: Measurement): HTMLElement {
    const { volume } = this;
    const value = told(one, volume.affine, volume.unit);
    const what = t(one.kind === "length" ? "measures.length" : "measures.angle", { value });
    const { name } = planeOf(volume.affine, one.axis, volume.modality === "photo" ? "px" : volume.unit);
    const where = volume.shape[one.axis] > 1 && t("measures.where", { plane: t(`plane.${name}`), at: sliceOf(one) + 1 });
    return h(
      "li",
      { "data-testid": "measure", "data-value": value },
      h(
        "button",
        { type: "button", class: "go", title: t("measures.go"), on: { click: () => this.#go(one) } },
        h("span", { class: "name" }, what),
        where && h("span", { class: "figures" }, where),
      ),
      h(
        "button",
        {
          type: "button",
          class: "quiet",
          "data-testid": "unmeasure",
          title: t("measures.delete", { what }),
          "aria-label": t("measures.delete", { what }),
          on: { click: () => this.#delete(one) },
        },
        "×",
      ),
    );
  }

  #go(one: Measurement): void {
    const middle = [0, 1, 2].map((axis) =>
      clampIndex(this.volume, axis as 0 | 1 | 2, one.points.reduce((sum, point) => sum + point[axis]!, 0) / one.points.length),
    );
    this.store.update({ at: middle as unknown as Vec3, main: one.axis });
  }

  #delete(one: Measurement): void {
    this.store.update({ measurements: this.store.value.measurements.filter((other) => other !== one) });
  }
}
