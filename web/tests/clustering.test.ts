import { describe, expect, it } from "vitest";
import { clustered } from "../src/imaging/clustering";

/** A flat sheet of squares of side 1, two triangles each. */
function sheet(n: number): { positions: number[]; index: number[] } {
  const positions: number[] = [];
  const index: number[] = [];
  for (let y = 0; y <= n; y++) for (let x = 0; x <= n; x++) positions.push(x + 0.5, y + 0.5, -7);
  for (let y = 0; y < n; y++) {
    for (let x = 0; x < n; x++) {
      const [a, b] = [y * (n + 1) + x, (y + 1) * (n + 1) + x];
      index.push(a, a + 1, b, b, a + 1, b + 1);
    }
  }
  return { positions, index };
}

describe("coarser surfaces", () => {
  it("stay as they are where every vertex has a cube of its own", () => {
    const { positions, index } = sheet(4);
    const same = clustered(positions, index, 1);

    expect([...same.positions]).toEqual(positions);
    expect([...same.index]).toEqual(index);
  });

  it("have no triangle without area, and fewer of them", () => {
    const { positions, index } = sheet(30);
    const { index: coarse } = clustered(positions, index, 3);

    expect(coarse.length).toBeGreaterThan(0);
    expect(coarse.length).toBeLessThan(index.length / 6);
    for (let i = 0; i < coarse.length; i += 3) {
      expect(new Set(coarse.subarray(i, i + 3)).size).toBe(3);
    }
  });

  it("lie no farther off than the diagonal of a cube", () => {
    const cell = 4;
    const positions = Array.from({ length: 900 }, (_, i) => 60 * Math.sin(12.9898 * (i + 1)));
    const index = Array.from({ length: 300 }, (_, i) => i);
    const { positions: means } = clustered(positions, index, cell);
    const near = (i: number) =>
      Math.min(
        ...Array.from({ length: means.length / 3 }, (_, j) =>
          Math.hypot(...[0, 1, 2].map((k) => means[3 * j + k]! - positions[3 * i + k]!)),
        ),
      );

    for (let i = 0; i < 300; i++) expect(near(i)).toBeLessThanOrEqual(cell * Math.sqrt(3));
  });

  it("of nothing are nothing", () => {
    expect(clustered([], [], 1).index.length).toBe(0);
  });
});
