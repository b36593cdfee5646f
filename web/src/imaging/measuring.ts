/** Lengths and angles between places of a volume, by its affine. */

import { apply, type Affine, dot, norm, sub, unit, type Vec3 } from "./affine";
import type { Axis } from "./orientation";

/** Two places, or an angle's end, vertex and other end. */
export interface Measurement {
  readonly kind: "length" | "angle";
  /** Array axis of the plane it was drawn on. */
  readonly axis: Axis;
  /** In indices, fractions allowed; all on one slice of the axis. */
  readonly points: readonly Vec3[];
}

export const PLACES = { length: 2, angle: 3 } as const;

/** Millimetres (or picture pixels) of a length, degrees of an angle; not a number for less places. */
export function valueOf({ kind, points }: Measurement, affine: Affine): number {
  const places = points.map((point) => apply(affine, point));
  if (places.length < PLACES[kind]) return NaN;
  const [p, q, r] = places as [Vec3, Vec3, Vec3];
  if (kind === "length") return norm(sub(q, p));
  const [one, other] = [sub(p, q), sub(r, q)];
  if (norm(one) === 0 || norm(other) === 0) return NaN;
  return (Math.acos(Math.max(-1, Math.min(1, dot(unit(one), unit(other))))) * 180) / Math.PI;
}

/** With its unit: one digit after the point, two below one millimetre. */
export function told(measurement: Measurement, affine: Affine, lengthUnit: string): string {
  const value = valueOf(measurement, affine);
  if (measurement.kind === "angle") return `${value.toFixed(1)}°`;
  return `${value.toFixed(value < 1 ? 2 : 1)} ${lengthUnit}`;
}

export function sliceOf({ axis, points }: Measurement): number {
  return Math.round(points[0]![axis]);
}
