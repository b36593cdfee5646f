/** Samples as the service sends them, and one slice of them as pixels. */

import { type Affine, apply, invert, type Vec3 } from "./affine";
import type { Axis, Plane } from "./orientation";
import type { Window } from "./window";

export type Samples =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array;

export interface Header {
  readonly shape: readonly [number, number, number];
  /** 1 for grey, 3 for colour; the last array axis. */
  readonly channels: number;
  readonly dtype: string;
  readonly affine: Affine;
  readonly unit: string;
  readonly modality: string;
}

export interface Volume extends Header {
  readonly samples: Samples;
  readonly inverse: Affine;
}

const ARRAYS: Record<string, (buffer: ArrayBuffer) => Samples> = {
  bool: (buffer) => new Uint8Array(buffer),
  int8: (buffer) => new Int8Array(buffer),
  uint8: (buffer) => new Uint8Array(buffer),
  int16: (buffer) => new Int16Array(buffer),
  uint16: (buffer) => new Uint16Array(buffer),
  int32: (buffer) => new Int32Array(buffer),
  uint32: (buffer) => new Uint32Array(buffer),
  float32: (buffer) => new Float32Array(buffer),
  float64: (buffer) => new Float64Array(buffer),
};

/** Read the headers of `GET /v1/images/{id}/volume`. */
export function readHeader(get: (name: string) => string | null): Header {
  const numbers = (name: string) => (get(name) ?? "").split(/[\s,]+/).filter(Boolean).map(Number);
  const [slices, rows, columns, channels = 1] = numbers("X-Shape");
  const affine = numbers("X-Affine");
  if (!slices || !rows || !columns || affine.length !== 16 || !affine.every(Number.isFinite)) {
    throw new Error("expected X-Shape and X-Affine with the samples; the service is of another version");
  }
  return {
    shape: [slices, rows, columns],
    channels,
    dtype: get("X-Dtype") ?? "int16",
    affine,
    unit: get("X-Unit") ?? "mm",
    modality: get("X-Modality") ?? "unknown",
  };
}

/** A volume whose samples are still zero: fill `samples.buffer` with the bytes as they come. */
export function emptyVolume(header: Header): Volume {
  const make = ARRAYS[header.dtype];
  if (!make) throw new Error(`expected samples of int16, uint8 or the like, got ${header.dtype}`);
  const size = make(new ArrayBuffer(0)).BYTES_PER_ELEMENT;
  const count = header.shape[0] * header.shape[1] * header.shape[2] * header.channels;
  return {
    ...header,
    samples: make(new ArrayBuffer(count * size)),
    inverse: invert(header.affine),
  };
}

export function toWorld(volume: Volume, index: Vec3): Vec3 {
  return apply(volume.affine, index);
}

export function toIndex(volume: Volume, point: Vec3): Vec3 {
  return apply(volume.inverse, point);
}

/** The sample nearest to an index, one number a channel; nothing outside of the volume. */
export function sampleAt(volume: Volume, index: Vec3): number[] | undefined {
  const [k, r, c] = index.map(Math.round) as [number, number, number];
  const [slices, rows, columns] = volume.shape;
  if (k < 0 || r < 0 || c < 0 || k >= slices || r >= rows || c >= columns) return undefined;
  const start = ((k * rows + r) * columns + c) * volume.channels;
  return Array.from(volume.samples.subarray(start, start + volume.channels), Number);
}

/** Samples from one index to the next along each array axis. */
export function strides(volume: Header): readonly [number, number, number] {
  const [, rows, columns] = volume.shape;
  return [rows * columns * volume.channels, columns * volume.channels, volume.channels];
}

/**
 * Paint one slice as opaque RGBA.
 *
 * `pixels` has `shape[plane.down]` rows of `shape[plane.across]`, both in the array's own sense:
 * flips are left to the transform that draws it.
 */
export function paintSlice(
  volume: Volume,
  plane: Plane,
  at: number,
  window: Window,
  pixels: Uint32Array,
): void {
  const { samples, shape, channels } = volume;
  const steps = strides(volume);
  const [width, height] = [shape[plane.across], shape[plane.down]];
  const [dx, dy] = [steps[plane.across], steps[plane.down]];
  const low = window.centre - window.width / 2;
  const gain = 255 / window.width;
  const grey = (value: number) => {
    const level = (value - low) * gain;
    return level <= 0 ? 0 : level >= 255 ? 255 : (level + 0.5) | 0;
  };
  for (let y = 0, target = 0; y < height; y++) {
    let from = at * steps[plane.axis] + y * dy;
    if (channels >= 3) {
      for (let x = 0; x < width; x++, from += dx) {
        const [red, green, blue] = [samples[from]!, samples[from + 1]!, samples[from + 2]!];
        pixels[target++] = 0xff000000 | (grey(blue) << 16) | (grey(green) << 8) | grey(red);
      }
    } else {
      for (let x = 0; x < width; x++, from += dx) {
        pixels[target++] = 0xff000000 | (grey(samples[from]!) * 0x010101);
      }
    }
  }
}

/** Clamp an index along one axis to the volume. */
export function clampIndex(volume: Header, axis: Axis, value: number): number {
  return Math.max(0, Math.min(volume.shape[axis] - 1, Math.round(value)));
}
