/** A score for every sample as colours: dark violet for the lowest, yellow for the highest. */

import type { Plane } from "./orientation";
import { strides, type Volume } from "./volume";

/** Matplotlib's inferno at equal distances (CC0), from which the rest is interpolated. */
const ANCHORS = [
  0x000004, 0x1b0c41, 0x4a0c6b, 0x781c6d, 0xa52c60, 0xcf4446, 0xed6925, 0xfb9b06, 0xf7d13d, 0xfcffa4,
];
const LEVELS = 256;

const channel = (colour: number, shift: number) => (colour >> shift) & 255;

/** `0xBBGGRR` for each of 256 levels. */
export const COLOURS: Uint32Array = Uint32Array.from({ length: LEVELS }, (_, level) => {
  const place = (level / (LEVELS - 1)) * (ANCHORS.length - 1);
  const low = Math.min(Math.floor(place), ANCHORS.length - 2);
  const mixed = (shift: number) => {
    const [a, b] = [channel(ANCHORS[low]!, shift), channel(ANCHORS[low + 1]!, shift)];
    return Math.round(a + (place - low) * (b - a));
  };
  return mixed(16) | (mixed(8) << 8) | (mixed(0) << 16);
});

/** As CSS has it, for a legend from left to right. */
export const GRADIENT = `linear-gradient(90deg, ${ANCHORS.map(
  (colour) => `#${colour.toString(16).padStart(6, "0")}`,
).join(", ")})`;

export interface Range {
  readonly low: number;
  readonly high: number;
}

/** Lowest and highest score; samples that are no number do not count. */
export function rangeOf(samples: ArrayLike<number>): Range {
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < samples.length; i++) {
    const value = samples[i]!;
    if (value < low && value > -Infinity) low = value;
    if (value > high && value < Infinity) high = value;
  }
  if (low > high) return { low: 0, high: 1 };
  return low < high ? { low, high } : { low, high: low + 1 };
}

/**
 * Paint one slice as RGBA: the higher the score the more opaque, nothing below `from`.
 *
 * `pixels` as for `paintSlice`.
 */
export function paintHeat(
  field: Volume,
  plane: Plane,
  at: number,
  { low, high }: Range,
  from: number,
  pixels: Uint32Array,
): void {
  const { samples, shape } = field;
  const steps = strides(field);
  const [width, height] = [shape[plane.across], shape[plane.down]];
  const [dx, dy] = [steps[plane.across], steps[plane.down]];
  const gain = (LEVELS - 1) / (high - low);
  for (let y = 0, target = 0; y < height; y++) {
    let place = at * steps[plane.axis] + y * dy;
    for (let x = 0; x < width; x++, place += dx, target++) {
      const value = samples[place]!;
      if (!(value >= from)) {
        pixels[target] = 0;
        continue;
      }
      const level = Math.max(0, Math.min(LEVELS - 1, Math.round((value - low) * gain)));
      pixels[target] = ((level << 24) | COLOURS[level]!) >>> 0;
    }
  }
}
