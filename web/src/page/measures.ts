/** Lengths and angles on the planes: drawn with the mouse or from the crosshair, moved, told. */

import type { Vec3 } from "../imaging/affine";
import { type Measurement, PLACES, sliceOf, told, valueOf } from "../imaging/measuring";
import type { Axis, Plane } from "../imaging/orientation";
import { transform } from "../imaging/viewport";
import type { Header } from "../imaging/volume";
import type { Ground } from "./drawing";
import type { Pane } from "./pane";
import type { Store, ViewState } from "./store";

const COLOUR = "#ffe14d";
const HALO = "rgba(0, 0, 0, 0.7)";
/** A place is taken hold of from so many of the screen's pixels on. */
const GRIP = 9;

/** Measurements of a slice, and the one that is being drawn there. */
export function drawMeasurements(ground: Ground, plane: Plane, header: Header, state: ViewState): void {
  const { measurements, draft, at } = state;
  const { context, matrix, ratio } = ground;
  context.lineJoin = context.lineCap = "round";
  context.font = `600 ${13 * ratio}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  for (const one of draft ? [...measurements, draft] : measurements) {
    if (one.axis !== plane.axis || sliceOf(one) !== at[plane.axis]) continue;
    const places = one.points.map((point) => transform(matrix, point[plane.across], point[plane.down]));
    const path = new Path2D();
    places.forEach(([x, y], i) => (i ? path.lineTo(x, y) : path.moveTo(x, y)));
    for (const [x, y] of places) {
      path.moveTo(x + 3.5 * ratio, y);
      path.arc(x, y, 3.5 * ratio, 0, 2 * Math.PI);
    }
    for (const [colour, width] of [[HALO, 4], [COLOUR, 1.75]] as const) {
      context.strokeStyle = colour;
      context.lineWidth = width * ratio;
      context.stroke(path);
    }
    if (Number.isNaN(valueOf(one, header.affine))) continue;
    label(ground, told(one, header.affine, header.unit), places);
  }
}

/** Beside the rightmost place; at its left where there is no room. */
function label({ context, ratio }: Ground, text: string, places: readonly (readonly [number, number])[]): void {
  const [x, y] = places.reduce((one, other) => (other[0] > one[0] ? other : one));
  const room = context.canvas.width - x > context.measureText(text).width + 24 * ratio;
  context.textAlign = room ? "left" : "right";
  const left = x + (room ? 10 : -10) * ratio;
  context.strokeStyle = HALO;
  context.lineWidth = 4 * ratio;
  context.strokeText(text, left, y - 10 * ratio);
  context.fillStyle = COLOUR;
  context.fillText(text, left, y - 10 * ratio);
}

/** One more place of a draft; with its last, the draft is a measurement. */
export function addPlace(store: Store<ViewState>, kind: Measurement["kind"], axis: Axis, place: Vec3): void {
  const { draft, measurements } = store.value;
  const going = draft?.kind === kind && draft.axis === axis && sliceOf(draft) === Math.round(place[axis]);
  const fixed = going ? draft.points.slice(0, -1) : [];
  const last = fixed[fixed.length - 1];
  if (last?.every((part, i) => part === place[i])) return;
  const points = [...fixed, place];
  if (points.length < PLACES[kind]) store.update({ draft: { kind, axis, points: [...points, place] } });
  else store.update({ measurements: [...measurements, { kind, axis, points }], draft: undefined });
}

/** Let the last place of a draft follow the mouse. */
export function follow(pane: Pane, place: Vec3): void {
  const { draft } = pane.store.value;
  if (draft?.axis !== pane.axis) return;
  pane.store.update({ draft: { ...draft, points: [...draft.points.slice(0, -1), place] } });
}

/** Which place of which measurement of a kind is at a place of the canvas. */
function gripAt(pane: Pane, kind: Measurement["kind"], x: number, y: number): { nth: number; point: number } | undefined {
  const { measurements, at } = pane.store.value;
  for (let nth = measurements.length - 1; nth >= 0; nth--) {
    const one = measurements[nth]!;
    if (one.kind !== kind || one.axis !== pane.axis || sliceOf(one) !== at[pane.axis]) continue;
    const point = one.points.findIndex((place) => {
      const [u, v] = pane.placeOf(place);
      return Math.hypot(u - x, v - y) <= GRIP * (window.devicePixelRatio || 1);
    });
    if (point >= 0) return { nth, point };
  }
  return undefined;
}

/** What a press with a measuring tool does: moves a place, or sets one, or two by dragging. */
export function measuring(
  pane: Pane,
  kind: Measurement["kind"],
  x: number,
  y: number,
): { move: (place: Vec3) => void; release: (place: Vec3, moved: boolean) => void } {
  const { store } = pane;
  const grip = store.value.draft ? undefined : gripAt(pane, kind, x, y);
  if (!grip) {
    const began = !store.value.draft;
    addPlace(store, kind, pane.axis, pane.indexAt(x, y));
    return {
      move: (place) => follow(pane, place),
      release: (place, moved) => {
        if (moved && began) addPlace(store, kind, pane.axis, place);
      },
    };
  }
  const shift = (place: Vec3) => {
    const measurements = store.value.measurements.map((one, nth) =>
      nth === grip.nth ? { ...one, points: one.points.map((old, i) => (i === grip.point ? place : old)) } : one,
    );
    store.update({ measurements });
  };
  return { move: shift, release: () => {} };
}
