/** What keys and mouse do. */

import { h } from "./dom";

const KEYS: readonly (readonly [string, string])[] = [
  ["Wheel, ↑ ↓", "Next and previous slice; on a photograph the wheel zooms"],
  ["Page up, Page down", "Ten slices"],
  ["Home, End", "First and last slice"],
  ["Ctrl + wheel, + −", "Zoom"],
  ["Drag", "Move the picture; in a small plane, the crosshair"],
  ["Click", "Set the crosshair"],
  ["Right drag, Shift + drag", "Window: sideways its width, up and down its centre"],
  ["W, Shift + W", "Next and previous window preset"],
  ["Double click", "Fit this plane"],
  ["0", "Fit all, first window"],
  ["1 2 3", "Enlarge a plane"],
  ["O, F, H", "Outlines, fill, hide or show everything"],
  ["N, P", "Next and previous of many that were found"],
  ["M, R", "Heat map; source or restored image"],
  ["X, S", "Crosshair, smoothing"],
];

export function showHelp(): void {
  const dialog = h(
    "dialog",
    { class: "help", "aria-label": "Keyboard and mouse" },
    h("h2", {}, "Keyboard and mouse"),
    h("dl", {}, ...KEYS.flatMap(([keys, does]) => [h("dt", {}, keys), h("dd", {}, does)])),
    h("form", { method: "dialog" }, h("button", { class: "primary" }, "Close")),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
