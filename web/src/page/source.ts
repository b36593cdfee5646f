/** The image itself on one plane: a slice of it, or a slab of slices. */

import type { Vec3 } from "../imaging/affine";
import type { Plane } from "../imaging/orientation";
import { paintSlab, projectedAt, type Projection, type Reach, reachOf, sliceDistance } from "../imaging/slab";
import type { Matrix } from "../imaging/viewport";
import { paintSlice, sampleAt, type Volume } from "../imaging/volume";
import { Raster } from "./raster";
import type { ViewState } from "./store";
import { t } from "./texts";

export class Source {
  readonly #raster: Raster;

  constructor(
    readonly volume: Volume,
    readonly plane: Plane,
  ) {
    this.#raster = new Raster(volume, plane);
  }

  /** How slices are put together, and which; nothing where one slice is shown. */
  slabOf({ at, slab }: ViewState): { projection: Projection; reach: Reach } | undefined {
    const { projection } = slab;
    if (projection === "none" || this.volume.channels > 1) return undefined;
    const { axis } = this.plane;
    return { projection, reach: reachOf(this.volume, axis, at[axis], slab) };
  }

  /** How the picture came about, where it is not of one slice; outlines stay those of one. */
  slabTold(state: ViewState): string | undefined {
    const slab = this.slabOf(state);
    if (!slab) return undefined;
    const [first, last] = slab.reach;
    const thickness = ((last - first + 1) * sliceDistance(this.volume, this.plane.axis)).toFixed(1);
    return t("slab.told", { name: t(`slab.${slab.projection}`), thickness });
  }

  /** Draw what is there of it: `loaded` slices of the array's first axis. */
  draw(context: CanvasRenderingContext2D, matrix: Matrix, state: ViewState, loaded: number): void {
    const { volume, plane } = this;
    const { window, at } = state;
    const index = at[plane.axis];
    const slab = this.slabOf(state);
    const last = slab?.reach[1] ?? index;
    const progress = plane.axis === 0 ? Number(loaded > last) || loaded : loaded;
    const key = [index, window.centre, window.width, progress, slab?.projection, slab?.reach].join(" ");
    const painted = this.#raster.paint(key, (pixels) =>
      slab
        ? paintSlab(volume, plane, slab.reach, slab.projection, window, pixels)
        : paintSlice(volume, plane, index, window, pixels),
    );
    if (painted) this.#raster.clearFrom(loaded, plane.axis === 0 ? last : at[0]);
    context.setTransform(...matrix);
    context.drawImage(this.#raster.canvas, -0.5, -0.5);
  }

  /** The sample that is seen at an index, one number a channel; nothing outside of the volume. */
  valuesAt(index: Vec3, state: ViewState): readonly number[] | undefined {
    const slab = this.slabOf(state);
    if (!slab) return sampleAt(this.volume, index);
    const value = projectedAt(this.volume, index, this.plane.axis, slab.reach, slab.projection);
    return value === undefined ? undefined : [value];
  }
}
