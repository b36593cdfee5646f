/** How each plane of the array is laid on the screen, whatever the orientation of the scan. */

import { type Affine, dot, scale, step, sub, unit, type Vec3 } from "./affine";

export type Axis = 0 | 1 | 2;
export type PlaneName = "axial" | "coronal" | "sagittal" | "picture";

export interface Letters {
  readonly left: string;
  readonly right: string;
  readonly top: string;
  readonly bottom: string;
}

/**
 * The plane of the array in which `axis` is constant, as it is shown: the patient's right at the
 * left of the screen and the front at the top of axial slices; the head at the top of the others.
 */
export interface Plane {
  readonly name: PlaneName;
  readonly axis: Axis;
  /** Array axes that run along the screen's horizontal and vertical, in whichever sense. */
  readonly across: Axis;
  readonly down: Axis;
  /**
   * `[a, b, c, d]`: one index along `across` moves `(a, b)` mm to the right and downwards, one
   * along `down` moves `(c, d)`. Off-diagonal only where the array's axes are not perpendicular
   * (gantry tilt).
   */
  readonly millimetres: readonly [number, number, number, number];
  readonly letters: Letters;
}

interface Layout {
  readonly right: Vec3;
  readonly bottom: Vec3;
}

// By the world axis along which the slices of the plane are stacked: x, y, z.
const NAMES: readonly PlaneName[] = ["sagittal", "coronal", "axial"];
const LAYOUTS: readonly Layout[] = [
  { right: [0, 1, 0], bottom: [0, 0, -1] },
  { right: [1, 0, 0], bottom: [0, 0, -1] },
  { right: [1, 0, 0], bottom: [0, 1, 0] },
];
const PICTURE: Layout = { right: [1, 0, 0], bottom: [0, 1, 0] };

/** World axis that each array axis is nearest to; each of the three is given once. */
export function nearestWorldAxes(affine: Affine): readonly [Axis, Axis, Axis] {
  const directions = [0, 1, 2].map((axis) => unit(step(affine, axis)));
  const pairs = [0, 1, 2].flatMap((axis) =>
    [0, 1, 2].map((world) => ({ axis, world, size: Math.abs(directions[axis]![world]!) })),
  );
  pairs.sort((p, q) => q.size - p.size);
  const found: (Axis | undefined)[] = [undefined, undefined, undefined];
  for (const { axis, world } of pairs) {
    if (found[axis] === undefined && !found.includes(world as Axis)) found[axis] = world as Axis;
  }
  return found as [Axis, Axis, Axis];
}

export function planeOf(affine: Affine, axis: Axis, unitOfLength: string): Plane {
  const world = nearestWorldAxes(affine);
  const patient = unitOfLength === "mm";
  const layout = patient ? LAYOUTS[world[axis]]! : PICTURE;
  const wanted = layout.right.findIndex((part) => part !== 0);
  const rest = ([0, 1, 2] as const).filter((other) => other !== axis);
  const across = rest.find((other) => world[other] === wanted) ?? rest[1]!;
  const down = rest.find((other) => other !== across)!;

  const rightward = facing(step(affine, across), layout.right);
  const downward = facing(step(affine, down), layout.bottom);
  const ex = unit(rightward.along);
  const ey = unit(sub(downward.along, scale(ex, dot(downward.along, ex))));
  const millimetres = [
    rightward.sign * dot(rightward.along, ex),
    0,
    downward.sign * dot(downward.along, ex),
    downward.sign * dot(downward.along, ey),
  ] as const;
  const letters = patient
    ? {
        left: lettersOf(scale(ex, -1)),
        right: lettersOf(ex),
        top: lettersOf(scale(ey, -1)),
        bottom: lettersOf(ey),
      }
    : { left: "", right: "", top: "", bottom: "" };
  return {
    name: patient ? NAMES[world[axis]]! : "picture",
    axis,
    across,
    down,
    millimetres,
    letters,
  };
}

/** Letters of a direction in the patient, the nearest first: `"L"`, or `"LA"` where oblique. */
export function lettersOf(direction: Vec3): string {
  const ends = ["RL", "AP", "IS"] as const;
  return unit(direction)
    .map((part, world) => ({ size: Math.abs(part), letter: ends[world]![part > 0 ? 1 : 0]! }))
    .filter(({ size }) => size > 0.2)
    .sort((p, q) => q.size - p.size)
    .map(({ letter }) => letter)
    .join("");
}

function facing(along: Vec3, wanted: Vec3): { along: Vec3; sign: number } {
  return dot(along, wanted) < 0 ? { along: scale(along, -1), sign: -1 } : { along, sign: 1 };
}
