/** One slice of samples as a picture, painted again only where something has changed. */

import type { Plane } from "../imaging/orientation";
import type { Volume } from "../imaging/volume";
import { h } from "./dom";

export class Raster {
  readonly canvas: HTMLCanvasElement;
  readonly #image: ImageData;
  readonly #pixels: Uint32Array;
  #key = "";

  constructor(
    readonly volume: Volume,
    readonly plane: Plane,
  ) {
    const size = [volume.shape[plane.across], volume.shape[plane.down]] as const;
    this.canvas = h("canvas", { width: size[0], height: size[1] });
    this.#image = new ImageData(...size);
    this.#pixels = new Uint32Array(this.#image.data.buffer);
  }

  /** Have `paint` fill the pixels, unless the key is that of the last time. */
  paint(key: string, paint: (pixels: Uint32Array) => void): boolean {
    if (key === this.#key) return false;
    this.#key = key;
    paint(this.#pixels);
    this.canvas.getContext("2d")!.putImageData(this.#image, 0, 0);
    return true;
  }

  /** Slices that have not come yet are black, not the grey that a sample of zero has. */
  clearFrom(slices: number, at: number): void {
    const { shape } = this.volume;
    if (slices >= shape[0]) return;
    const context = this.canvas.getContext("2d")!;
    context.fillStyle = "#000";
    const { width, height } = this.canvas;
    if (this.plane.across === 0) context.fillRect(slices, 0, width - slices, height);
    else if (this.plane.down === 0) context.fillRect(0, slices, width, height - slices);
    else if (at >= slices) context.fillRect(0, 0, width, height);
  }
}
