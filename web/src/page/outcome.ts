/** What stands below the list of findings, and what is told where there is none. */

import { exportAddress, ServiceError } from "../service/client";
import type { Delineation, Job, Offer } from "../service/documents";
import { h, sentence } from "./dom";
import { reportView } from "./report";

/** What people call a format; others by the service's own name for it. */
const LABELS: Readonly<Record<string, string>> = {
  nifti: "NIfTI",
  masks: "Masks",
  nrrd: "NRRD",
  rtstruct: "RTSTRUCT",
  seg: "SEG",
  sr: "SR",
  geojson: "GeoJSON",
  svg: "SVG",
  coco: "COCO",
  stl: "STL",
  ply: "PLY",
  glb: "GLB",
  json: "JSON",
  csv: "CSV",
  png: "PNG",
};

export function downloads(job: Job, offers: readonly Offer[]): HTMLElement {
  return h(
    "section",
    { class: "downloads", "data-testid": "downloads" },
    h("h2", {}, "Download"),
    h(
      "div",
      {},
      ...offers.map(({ format, title }) => {
        const href = exportAddress(job.id, format);
        return h("a", { href, title: sentence(title), download: true, "data-format": format }, LABELS[format] ?? format);
      }),
    ),
  );
}

/** Remarks on the whole result; nothing where there are none. */
export function remarks({ notes }: Delineation): HTMLElement | undefined {
  if (!notes.length) return undefined;
  return h(
    "section",
    { class: "remarks", "data-testid": "remarks" },
    ...notes.map((note) => h("p", { class: "note" }, sentence(note))),
  );
}

export function provenance({ detector, provenance: { seconds, device } }: Delineation): HTMLElement {
  const where = device ? ` on ${device}` : "";
  return h(
    "section",
    { class: "provenance" },
    h("p", { class: "muted" }, `${detector.title}, version ${detector.version}; ${seconds.toFixed(1)} s${where}`),
  );
}

/** What went wrong, in the service's words, and what can be done; `again` is another try. */
export function failurePage(
  error: unknown,
  another: () => void,
  again: (() => void) | undefined,
): HTMLElement {
  const told = error instanceof Error ? error : new Error(String(error));
  const title = told instanceof ServiceError ? told.title : "Error";
  const report = told instanceof ServiceError ? told.report : undefined;
  return h(
    "main",
    { class: "centre" },
    h(
      "div",
      { class: "card failure", role: "alert", "data-testid": "error" },
      h("h1", {}, heading(title)),
      h("p", { "data-testid": "error-message" }, sentence(told.message) || "The service gave no reason."),
      report && reportView(report),
      h(
        "div",
        { class: "actions" },
        again && h("button", { type: "button", class: "primary", on: { click: again } }, "Try again"),
        h("button", { type: "button", on: { click: another } }, "Choose another image"),
      ),
      h("p", { class: "muted code" }, title),
    ),
  );
}

function heading(title: string): string {
  const known: Record<string, string> = {
    UploadError: "This upload cannot be used",
    InputError: "This image cannot be used as it is",
    GeometryError: "This image cannot be used as it is",
    UnreadableFileError: "This image cannot be read",
    UnsuitableImageError: "This detector does not read this image",
    DetectorCrashError: "The detector stopped unexpectedly",
    DetectorError: "The detector failed",
    ModelError: "The detector's model cannot be used",
  };
  return known[title] ?? "That did not work";
}
