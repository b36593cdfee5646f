/** The first page: drop something here. */

import type { Detector } from "../service/documents";
import { chosen, dropped, type Gathered } from "../upload/gather";
import { h, icon, ICONS } from "./dom";
import { type Key, t } from "./texts";

export function startPage(take: (files: readonly Gathered[]) => void): HTMLElement {
  const files = h("input", { type: "file", multiple: true, hidden: true, "data-testid": "files" });
  const folder = h("input", {
    type: "file",
    webkitdirectory: true,
    hidden: true,
    "data-testid": "folder",
  });
  for (const input of [files, folder]) {
    input.addEventListener("change", () => {
      if (input.files?.length) take(chosen(input.files));
      input.value = "";
    });
  }
  const zone = h(
    "div",
    { class: "drop", "data-testid": "drop" },
    h("div", { class: "drop-icon" }, icon(...ICONS.upload)),
    h("h1", {}, t("start.title")),
    h("p", { class: "muted" }, t("start.formats")),
    h(
      "div",
      { class: "actions" },
      h(
        "button",
        { type: "button", class: "primary", on: { click: () => folder.click() } },
        icon(...ICONS.folder),
        t("start.folder"),
      ),
      h(
        "button",
        { type: "button", on: { click: () => files.click() } },
        icon(...ICONS.file),
        t("start.files"),
      ),
    ),
    files,
    folder,
  );
  return h("main", { class: "start" }, zone, h("section", { class: "installed" }));
}

/** List what is installed below the drop zone. */
export function showInstalled(page: HTMLElement, detectors: readonly Detector[]): void {
  page.querySelector(".installed")?.replaceChildren(
    h("h2", {}, t(detectors.length ? "start.installed" : "start.none")),
    h(
      "ul",
      {},
      ...detectors.map((detector) =>
        h(
          "li",
          {},
          h("strong", { lang: "en" }, detector.title),
          h("span", { class: "muted" }, `${detector.wants.modalities.join(", ") || t("start.any")} · ${taskOf(detector)}`),
        ),
      ),
    ),
  );
}

const TASKS: Readonly<Record<string, Key>> = {
  segmentation: "task.segmentation",
  detection: "task.detection",
  counting: "task.counting",
  classification: "task.classification",
  anomaly: "task.anomaly",
  restoration: "task.restoration",
};

function taskOf({ task }: Detector): string {
  const key = TASKS[task];
  return key ? t(key) : task;
}

/** Take drops anywhere on the page. */
export function acceptDrops(take: (files: readonly Gathered[]) => void): void {
  let depth = 0;
  const mark = () => {
    document.body.classList.toggle("dragging", depth > 0);
    document.body.dataset.drop = t("app.drop");
  };
  window.addEventListener("dragenter", () => {
    depth += 1;
    mark();
  });
  window.addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    mark();
  });
  window.addEventListener("dragover", (event) => event.preventDefault());
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    mark();
    if (!event.dataTransfer) return;
    void dropped(event.dataTransfer.items).then((found) => {
      if (found.length) take(found);
    });
  });
}
