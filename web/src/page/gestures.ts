/** What the mouse does on a pane: slices, zoom, pan, window, crosshair. */

import { FITTED } from "../imaging/viewport";
import { draggedWindow } from "../imaging/window";
import { follow, measuring } from "./measures";
import type { Pane } from "./pane";
import { replaced } from "./store";

/** Listen to a pane's canvas. */
export function listen(pane: Pane, canvas: HTMLCanvasElement): void {
  const { store, axis } = pane;
  const picture = pane.volume.shape[axis] === 1;
  let notches = 0;
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      if (event.ctrlKey || event.metaKey || picture) {
        const factor = Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002));
        pane.zoomAt(factor, ...placeOf(canvas, event));
        return;
      }
      notches += event.deltaMode ? event.deltaY : event.deltaY / 40;
      const whole = Math.trunc(notches);
      notches -= whole;
      if (whole) pane.scroll(Math.sign(whole));
    },
    { passive: false },
  );
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("dblclick", () =>
    store.update({ viewports: replaced(store.value.viewports, axis, FITTED) }),
  );
  canvas.addEventListener("pointerdown", (event) => press(pane, canvas, event));
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = placeOf(canvas, event);
    if (store.value.draft && event.buttons === 0) follow(pane, pane.indexAt(x, y));
    pane.pointed = [x, y];
    pane.tellPointed();
  });
  canvas.addEventListener("pointerleave", () => {
    pane.pointed = undefined;
    pane.onHover(pane, undefined, []);
  });
}

/** Canvas pixels of a mouse event. */
function placeOf(canvas: HTMLCanvasElement, event: MouseEvent): [number, number] {
  const bounds = canvas.getBoundingClientRect();
  const ratio = canvas.width / bounds.width;
  return [(event.clientX - bounds.left) * ratio, (event.clientY - bounds.top) * ratio];
}

/** What moving and releasing the mouse does after a press. */
interface Drag {
  readonly move: (x: number, y: number, event: PointerEvent) => void;
  /** With how far it has been moved. */
  readonly release?: (x: number, y: number, moved: boolean) => void;
}

/** Less is a click. */
const STILL = 3;

function press(pane: Pane, canvas: HTMLCanvasElement, start: PointerEvent): void {
  canvas.setPointerCapture(start.pointerId);
  const [x0, y0] = placeOf(canvas, start);
  const drag = dragOf(pane, canvas, start, x0, y0);
  const over = new AbortController();
  const { signal } = over;
  let moved = false;
  const move = (event: PointerEvent) => {
    const [x, y] = placeOf(canvas, event);
    if (Math.hypot(x - x0, y - y0) > STILL) moved = true;
    if (moved) drag.move(x, y, event);
  };
  const release = (event: PointerEvent) => {
    over.abort();
    if (event.type === "pointerup") drag.release?.(...placeOf(canvas, event), moved);
  };
  canvas.addEventListener("pointermove", move, { signal });
  canvas.addEventListener("pointerup", release, { signal });
  canvas.addEventListener("pointercancel", release, { signal });
}

/**
 * Right button or shift: window. Middle: move. Left: what the tool does; with the tool that moves,
 * a click sets the crosshair and a drag moves the picture, in a small pane the crosshair, or the
 * divider between two images.
 */
function dragOf(pane: Pane, canvas: HTMLCanvasElement, start: PointerEvent, x0: number, y0: number): Drag {
  const { store, axis } = pane;
  const { window, viewports, main, tool } = store.value;
  const left = start.button === 0;
  const set = (x: number, y: number) => pane.go(pane.indexAt(x, y));
  const click = (_x: number, _y: number, moved: boolean) => {
    if (!moved) set(x0, y0);
  };
  if (start.button === 2 || start.shiftKey || (left && tool === "window")) {
    const move = (_x: number, _y: number, event: PointerEvent) =>
      store.update({ window: draggedWindow(window, event.clientX - start.clientX, event.clientY - start.clientY) });
    return { move };
  }
  if (left && pane.isDivider(x0)) {
    return { move: (x) => store.update({ divider: Math.max(0, Math.min(1, x / canvas.width)) }) };
  }
  if (left && (tool === "length" || tool === "angle")) {
    const { move, release } = measuring(pane, tool, x0, y0);
    return {
      move: (x, y) => move(pane.indexAt(x, y)),
      release: (x, y, moved) => release(pane.indexAt(x, y), moved),
    };
  }
  if (left && tool === "zoom") {
    let last = y0;
    const move = (_x: number, y: number) => {
      pane.zoomAt(Math.exp((last - y) / 150), x0, y0);
      last = y;
    };
    return { move, release: click };
  }
  if (left && main !== axis) return { move: set, release: click };
  return { move: (x, y) => pane.move(viewports[axis], x - x0, y - y0), ...(left && { release: click }) };
}
