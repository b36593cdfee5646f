/** What keys do in a view. */

import type { Vec3 } from "../imaging/affine";
import { clampIndex } from "../imaging/volume";
import { announce } from "./announce";
import type { FindingList } from "./findings";
import { showHelp } from "./help";
import { PLACES } from "../imaging/measuring";
import { addPlace } from "./measures";
import type { Pane } from "./pane";
import { INITIAL, type Store, type ViewState } from "./store";
import { spoken, t } from "./texts";
import type { Toolbar } from "./toolbar";
import { nextProjection, takeTool, thicker } from "./tools";

/** What keys act on. */
export interface Keyed {
  readonly store: Store<ViewState>;
  readonly panes: readonly Pane[];
  readonly toolbar: Toolbar;
  readonly list: () => FindingList | undefined;
  readonly save: () => void;
}

const STEP_MM = 5;

/** Listen to the keys of the whole page until somebody leaves. */
export function listenToKeys(view: Keyed, leave: AbortSignal): void {
  window.addEventListener("keydown", (event) => press(view, event), { signal: leave });
}

function press(view: Keyed, event: KeyboardEvent): void {
  const { target } = event;
  const input = target instanceof HTMLInputElement ? target.type : target instanceof HTMLSelectElement ? "select" : "";
  // A slider takes the keys that move it, and no letters; a button is pressed by Enter.
  const moving = input === "range" && /^(Arrow|Page|Home|End)/.test(event.key);
  const pressing = event.key === "Enter" && target instanceof Element && target.closest("button, a, summary") !== null;
  const entering = moving || pressing || !["", "checkbox", "range"].includes(input);
  const elsewhere = entering || document.querySelector("dialog[open]") !== null;
  if (event.ctrlKey || event.metaKey || event.altKey || elsewhere) return;
  const across = event.shiftKey && event.key.startsWith("Arrow");
  const action = across ? aside(view, event.key) : actionsOf(view)[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

function actionsOf({ store, panes, toolbar, list, save }: Keyed): Record<string, () => void> {
  const { at, main, slab, heat, window, tool, measurements } = store.value;
  const pane = panes[main]!;
  const to = (slice: number) => () => {
    pane.scroll(slice - at[main]);
    tellSlice(pane);
  };
  const flip = (name: "outline" | "crosshair" | "smooth") => () => store.update({ [name]: !store.value[name] });
  const windowed = (centre: number, width: number) => () =>
    store.update({ window: { centre: window.centre + centre * window.width, width: window.width * width } });
  const enlarge = Object.fromEntries(panes.map(({ axis }) => [String(axis + 1), () => store.update({ main: axis })]));
  return {
    ...enlarge,
    ArrowUp: to(at[main] - 1),
    ArrowLeft: to(at[main] - 1),
    ArrowDown: to(at[main] + 1),
    ArrowRight: to(at[main] + 1),
    PageUp: to(at[main] - 10),
    PageDown: to(at[main] + 10),
    Home: to(0),
    End: to(Infinity),
    "+": () => pane.zoom(1.25),
    "=": () => pane.zoom(1.25),
    "-": () => pane.zoom(0.8),
    "0": () => toolbar.reset(),
    o: flip("outline"),
    f: () => store.update({ fill: store.value.fill > 0 ? 0 : INITIAL.fill }),
    x: flip("crosshair"),
    s: flip("smooth"),
    h: () => list()?.toggleAll(),
    n: () => list()?.step(1),
    p: () => list()?.step(-1),
    m: () => store.update({ heat: { ...heat, shown: !heat.shown } }),
    r: () => store.update({ shown: store.value.shown === "source" ? "restored" : "source" }),
    w: () => toolbar.next(1),
    W: () => toolbar.next(-1),
    "[": windowed(0, 0.9),
    "]": windowed(0, 1 / 0.9),
    "{": windowed(-0.05, 1),
    "}": windowed(0.05, 1),
    t: () => store.update({ slab: nextProjection(slab) }),
    "<": () => store.update({ slab: thicker(slab, -STEP_MM) }),
    ">": () => store.update({ slab: thicker(slab, STEP_MM) }),
    v: () => takeTool(store, "move"),
    z: () => takeTool(store, "zoom"),
    c: () => takeTool(store, "window"),
    l: () => takeTool(store, "length"),
    a: () => takeTool(store, "angle"),
    ...((tool === "length" || tool === "angle") && { Enter: () => setPlace(store, tool), i: () => setPlace(store, tool) }),
    Escape: () => store.update({ draft: undefined }),
    Delete: () => store.update({ measurements: measurements.slice(0, -1) }),
    g: save,
    "?": showHelp,
  };
}

/** The crosshair one sample aside on the large plane, as it is seen. */
function aside({ store, panes }: Keyed, key: string): (() => void) | undefined {
  const { at, main, draft } = store.value;
  const pane = panes[main]!;
  const { across, down, millimetres } = pane.plane;
  const [axis, sign] = /Left|Right/.test(key) ? [across, Math.sign(millimetres[0])] : [down, Math.sign(millimetres[3])];
  const by = sign * (/Left|Up/.test(key) ? -1 : 1);
  const place = [...at] as [number, number, number];
  place[axis] = clampIndex(pane.volume, axis, at[axis] + by);
  const trail = draft && { draft: { ...draft, points: [...draft.points.slice(0, -1), place as Vec3] } };
  return () => store.update({ at: place, ...trail });
}

/** A place of a measurement where the crosshair is. */
function setPlace(store: Store<ViewState>, kind: "length" | "angle"): void {
  const { at, main, measurements } = store.value;
  addPlace(store, kind, main, at);
  const { draft, measurements: after } = store.value;
  const n = after.length > measurements.length ? PLACES[kind] : (draft?.points.length ?? 1) - 1;
  announce(() => t("measures.set", { n, count: PLACES[kind] }));
}

/** Which slice it is, and what is on it. */
function tellSlice(pane: Pane): void {
  announce(() => {
    const at = pane.store.value.at[pane.axis];
    const told = t("view.position", { at: at + 1, count: pane.volume.shape[pane.axis] });
    return [`${t(`plane.${pane.plane.name}`)} ${told}`, ...pane.namesOn(at).map((name) => spoken(name))].join(", ");
  });
}
