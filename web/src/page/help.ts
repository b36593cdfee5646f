/** What keys and mouse do. */

import { h } from "./dom";
import { t } from "./texts";

const ROWS = [
  "wheel",
  "page",
  "home",
  "planes",
  "zoom",
  "drag",
  "click",
  "cross",
  "right",
  "preset",
  "windowKeys",
  "double",
  "reset",
  "tools",
  "place",
  "escape",
  "slab",
  "show",
  "many",
  "heat",
  "look",
  "save",
] as const;

export function showHelp(): void {
  const dialog = h(
    "dialog",
    { class: "help", "aria-label": t("help.title") },
    h("h2", {}, t("help.title")),
    h("dl", {}, ...ROWS.flatMap((row) => [h("dt", {}, t(`help.${row}`)), h("dd", {}, t(`help.${row}Does`))])),
    h("form", { method: "dialog" }, h("button", { class: "primary" }, t("help.close"))),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
