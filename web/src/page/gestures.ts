/** What the mouse does on a pane: slices, zoom, pan, window, crosshair. */

import { FITTED, type Viewport } from "../imaging/viewport";
import { draggedWindow, type Window } from "../imaging/window";
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
    pane.onHover(pane, pane.indexAt(x, y), pane.namesAt(x, y));
  });
  canvas.addEventListener("pointerleave", () => pane.onHover(pane, undefined, []));
}

/** Canvas pixels of a mouse event. */
function placeOf(canvas: HTMLCanvasElement, event: MouseEvent): [number, number] {
  const bounds = canvas.getBoundingClientRect();
  const ratio = canvas.width / bounds.width;
  return [(event.clientX - bounds.left) * ratio, (event.clientY - bounds.top) * ratio];
}

/**
 * Right button or shift: window. Left: a click sets the crosshair, a drag moves the picture, or
 * the divider between source and restored image.
 */
function press(pane: Pane, canvas: HTMLCanvasElement, start: PointerEvent): void {
  canvas.setPointerCapture(start.pointerId);
  const { store, axis } = pane;
  const before = store.value;
  const [x0, y0] = placeOf(canvas, start);
  const windowing = start.button === 2 || start.shiftKey;
  const small = before.main !== axis;
  const dividing = start.button === 0 && pane.isDivider(x0);
  let moved = false;
  const move = (event: PointerEvent) => {
    const [x, y] = placeOf(canvas, event);
    if (Math.hypot(x - x0, y - y0) > 3) moved = true;
    if (!moved) return;
    if (windowing) {
      const [dx, dy] = [event.clientX - start.clientX, event.clientY - start.clientY];
      store.update({ window: draggedWindow(before.window, dx, dy) satisfies Window });
    } else if (dividing) {
      store.update({ divider: Math.max(0, Math.min(1, x / canvas.width)) });
    } else if (small && start.button === 0) {
      pane.go(pane.indexAt(x, y));
    } else {
      const view = before.viewports[axis];
      const pan: Viewport = { ...view, x: view.x + x - x0, y: view.y + y - y0 };
      store.update({ viewports: replaced(store.value.viewports, axis, pan) });
    }
  };
  const drag = new AbortController();
  const release = (event: PointerEvent) => {
    drag.abort();
    if (event.type === "pointerup" && !moved && !windowing && !dividing && start.button === 0) {
      pane.go(pane.indexAt(x0, y0));
    }
  };
  const { signal } = drag;
  canvas.addEventListener("pointermove", move, { signal });
  canvas.addEventListener("pointerup", release, { signal });
  canvas.addEventListener("pointercancel", release, { signal });
}
