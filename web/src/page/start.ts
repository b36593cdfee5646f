/** The first page: drop something here. */

import type { Detector } from "../service/documents";
import { chosen, dropped, type Gathered } from "../upload/gather";
import { h, icon, ICONS } from "./dom";

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
    h("h1", {}, "Drop a scan or a picture here"),
    h("p", { class: "muted" }, "A folder of DICOM files, a zip, NIfTI, NRRD, MHA or a photograph"),
    h(
      "div",
      { class: "actions" },
      h(
        "button",
        { type: "button", class: "primary", on: { click: () => folder.click() } },
        icon(...ICONS.folder),
        "Choose a folder",
      ),
      h(
        "button",
        { type: "button", on: { click: () => files.click() } },
        icon(...ICONS.file),
        "Choose files",
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
    h("h2", {}, detectors.length ? "Installed detectors" : "No detector is installed"),
    h(
      "ul",
      {},
      ...detectors.map((detector) =>
        h(
          "li",
          {},
          h("strong", {}, detector.title),
          h("span", { class: "muted" }, `${detector.wants.modalities.join(", ") || "any image"} · ${detector.task}`),
        ),
      ),
    ),
  );
}

/** Take drops anywhere on the page. */
export function acceptDrops(take: (files: readonly Gathered[]) => void): void {
  let depth = 0;
  const mark = () => document.body.classList.toggle("dragging", depth > 0);
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
