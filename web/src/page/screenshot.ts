/** What is seen of an image as one picture, with all that is needed to read it. */

import { h } from "./dom";
import type { Pane } from "./pane";
import { t } from "./texts";

const STRIP = 30;
const FONT = "system-ui, sans-serif";

/**
 * Planes with outlines, letters, names and rulers as they are on the screen, and below them that it
 * is not for diagnosis, the window, and what was run.
 */
export function pictureOf(panes: readonly Pane[], grid: HTMLElement, told: readonly string[]): HTMLCanvasElement {
  const ratio = window.devicePixelRatio || 1;
  const frame = grid.getBoundingClientRect();
  const [width, height] = [Math.round(frame.width * ratio), Math.round(frame.height * ratio)];
  const canvas = h("canvas", { width, height: height + STRIP * ratio });
  const context = canvas.getContext("2d")!;
  context.fillStyle = "#000";
  context.fillRect(0, 0, width, height);
  for (const drawn of grid.querySelectorAll("canvas")) {
    const [x, y] = placeIn(frame, drawn, ratio);
    context.drawImage(drawn, x, y);
  }
  for (const pane of panes) {
    pane.cross.stroke(context, ...placeIn(frame, pane.canvas, ratio), ratio);
    for (const text of pane.element.querySelectorAll<HTMLElement>(".letter, .title strong, .caption, .slab span")) {
      if (text.checkVisibility()) write(context, text, frame, ratio);
    }
  }
  strip(context, height, ratio, told);
  return canvas;
}

function placeIn(frame: DOMRect, element: Element, ratio: number): [number, number] {
  const { left, top } = element.getBoundingClientRect();
  return [Math.round((left - frame.left) * ratio), Math.round((top - frame.top) * ratio)];
}

/** A text of the page where it is, in its colour. */
function write(context: CanvasRenderingContext2D, text: HTMLElement, frame: DOMRect, ratio: number): void {
  const { left, top, height } = text.getBoundingClientRect();
  const { color, fontSize, fontWeight } = getComputedStyle(text);
  const [x, y] = [(left - frame.left) * ratio, (top - frame.top + height / 2) * ratio];
  context.font = `${fontWeight} ${parseFloat(fontSize) * ratio}px ${FONT}`;
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.lineJoin = "round";
  context.lineWidth = 3 * ratio;
  context.strokeStyle = "#000";
  context.strokeText(text.textContent ?? "", x, y);
  context.fillStyle = color;
  context.fillText(text.textContent ?? "", x, y);
}

function strip(context: CanvasRenderingContext2D, top: number, ratio: number, told: readonly string[]): void {
  const { width } = context.canvas;
  const middle = top + (STRIP / 2) * ratio;
  context.fillStyle = "#14181d";
  context.fillRect(0, top, width, STRIP * ratio);
  context.textBaseline = "middle";
  context.textAlign = "left";
  context.font = `600 ${13 * ratio}px ${FONT}`;
  context.fillStyle = "#f0b64c";
  const warning = t("app.warning");
  context.fillText(warning, 12 * ratio, middle);
  const start = 28 * ratio + context.measureText(warning).width;
  context.font = `${12.5 * ratio}px ${FONT}`;
  context.fillStyle = "#c9d0d9";
  context.fillText(told.filter(Boolean).join("  ·  "), start, middle, width - start - 12 * ratio);
}

/** Have the browser keep a picture as a PNG. */
export function save(picture: HTMLCanvasElement, name: string): void {
  picture.toBlob((blob) => {
    if (!blob) return;
    const link = h("a", { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }, "image/png");
}
