import { describe, expect, it } from "vitest";
import { planeOf } from "../src/imaging/orientation";
import { paintSlab, projectedAt, reachOf, sliceDistance, type Projection } from "../src/imaging/slab";
import { emptyVolume, paintSlice, type Volume } from "../src/imaging/volume";

// Slices 3 mm apart, rows of 2 mm, columns of 1 mm, the slices sheared along y as a gantry tilt does.
const AFFINE = [0, 0, 1, 0, 1.5, 2, 0, 0, 3, 0, 0, 0, 0, 0, 0, 1];

function noise(shape: [number, number, number]): Volume {
  const volume = emptyVolume({ shape, channels: 1, dtype: "int16", affine: AFFINE, unit: "mm", modality: "CT" });
  let seed = 1;
  volume.samples.forEach((_, i) => {
    seed = (seed * 48271) % 2147483647;
    volume.samples[i] = (seed % 400) - 200;
  });
  return volume;
}

const WINDOW = { centre: 0, width: 400 };
const volume = noise([5, 6, 7]);

describe("a slab", () => {
  it("is as thick as the distance at right angles says, tilted or not", () => {
    expect(sliceDistance(volume, 0)).toBeCloseTo(3);
    expect(sliceDistance(volume, 2)).toBeCloseTo(1);
    // The rows' axis leans away from the normal of its planes, which holds the tilted axis.
    expect(sliceDistance(volume, 1)).toBeCloseTo(2 * (3 / Math.hypot(3, 1.5)));
    expect(reachOf(volume, 0, 2, { projection: "max", thickness_mm: 9 })).toEqual([1, 3]);
    expect(reachOf(volume, 0, 2, { projection: "max", thickness_mm: 0.1 })).toEqual([2, 2]);
    expect(reachOf(volume, 0, 4, { projection: "max", thickness_mm: 15 })).toEqual([2, 4]);
    expect(reachOf(volume, 0, 2, { projection: "none", thickness_mm: 15 })).toEqual([2, 2]);
  });

  it.each([0, 1, 2] as const)("of one slice is the slice, along axis %s", (axis) => {
    const plane = planeOf(AFFINE, axis, "mm");
    const size = volume.shape[plane.across] * volume.shape[plane.down];
    const [one, other] = [new Uint32Array(size), new Uint32Array(size)];
    paintSlice(volume, plane, 3, WINDOW, one);
    for (const projection of ["max", "min", "mean"] as const) {
      paintSlab(volume, plane, [3, 3], projection, WINDOW, other);
      expect(other).toEqual(one);
    }
  });

  it.each(["max", "min", "mean"] as const)("paints what it tells: %s", (projection: Projection) => {
    for (const axis of [0, 1, 2] as const) {
      const plane = planeOf(AFFINE, axis, "mm");
      const [width, height] = [volume.shape[plane.across], volume.shape[plane.down]];
      const pixels = new Uint32Array(width * height);
      paintSlab(volume, plane, [1, 4], projection, WINDOW, pixels);
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          const index: [number, number, number] = [0, 0, 0];
          index[plane.across] = x;
          index[plane.down] = y;
          const told = projectedAt(volume, index, axis, [1, 4], projection)!;
          const grey = pixels[y * width + x]! & 255;
          expect(Math.abs(grey - ((told + 200) * 255) / 400)).toBeLessThan(0.51);
        }
      }
    }
  });

  it("by hand: the highest, lowest and mean of three", () => {
    const column = emptyVolume({ ...volume, shape: [3, 1, 1] });
    column.samples.set([10, -50, 100]);
    const at = (projection: Projection) => projectedAt(column, [0, 0, 0], 0, [0, 2], projection);
    expect([at("max"), at("min"), at("mean")]).toEqual([100, -50, 20]);
    expect(projectedAt(column, [0, 0, 1], 0, [0, 2], "max")).toBeUndefined();
  });
});
