/** What lies over a slice: scores as colours, a restored image. */

import { type Alignment, indexIn, planeIn, toSource } from "../imaging/alignment";
import { paintHeat, type Range } from "../imaging/heat";
import type { Plane } from "../imaging/orientation";
import type { Matrix } from "../imaging/viewport";
import { paintSlice, type Volume } from "../imaging/volume";
import { Raster } from "./raster";
import type { ViewState } from "./store";

/** Scores on the image's own grid. */
export class Heat {
  readonly #raster: Raster;

  constructor(
    field: Volume,
    readonly range: Range,
    plane: Plane,
  ) {
    this.#raster = new Raster(field, plane);
  }

  draw(context: CanvasRenderingContext2D, matrix: Matrix, { at, heat }: ViewState): void {
    if (!heat.shown || heat.opacity === 0) return;
    const { volume, plane, canvas } = this.#raster;
    const index = at[plane.axis];
    this.#raster.paint(`${index} ${heat.from}`, (pixels) =>
      paintHeat(volume, plane, index, this.range, heat.from, pixels),
    );
    context.globalAlpha = heat.opacity;
    context.setTransform(...matrix);
    context.drawImage(canvas, -0.5, -0.5);
    context.globalAlpha = 1;
  }
}

/** A restored image, its samples at the places where they lie; right of the divider if split. */
export class Restored {
  readonly #raster: Raster;

  constructor(
    volume: Volume,
    readonly alignment: Alignment,
    /** Plane of the source. */
    readonly plane: Plane,
  ) {
    this.#raster = new Raster(volume, planeIn(alignment, plane));
  }

  draw(context: CanvasRenderingContext2D, matrix: Matrix, state: ViewState): void {
    const { at, window, shown, divider } = state;
    const { volume, plane, canvas } = this.#raster;
    const { axis } = this.plane;
    const index = indexIn(this.alignment, volume, axis, at[axis]);
    this.#raster.paint(`${index} ${window.centre} ${window.width}`, (pixels) =>
      paintSlice(volume, plane, index, window, pixels),
    );
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    if (shown === "split") {
      const { width, height } = context.canvas;
      const clip = new Path2D();
      clip.rect(divider * width, 0, width, height);
      context.clip(clip);
      context.fillRect(divider * width, 0, width, height);
    }
    context.setTransform(...matrix);
    context.transform(...toSource(this.alignment, this.plane));
    context.drawImage(canvas, -0.5, -0.5);
    context.restore();
  }
}
