/** What stands below the list of findings, and what is told where there is none. */

import { exportAddress, ServiceError } from "../service/client";
import type { Delineation, Job, Offer } from "../service/documents";
import { h, sentence } from "./dom";
import { reportView } from "./report";
import { type Key, t, TAG } from "./texts";

/** What people call a format; others by the service's own name for it. */
const LABELS: Readonly<Record<string, string>> = {
  nifti: "NIfTI",
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
  html: "HTML",
  png: "PNG",
};

export function downloads(job: Job, offers: readonly Offer[]): HTMLElement {
  return h(
    "section",
    { class: "downloads", "data-testid": "downloads" },
    h("h2", {}, t("download.title")),
    h(
      "div",
      {},
      ...offers.map(({ format, title }) => {
        const href = exportAddress(job.id, format);
        return h("a", { href, lang: "en", title: sentence(title), download: true, "data-format": format }, h("span", { lang: TAG }, labelOf(format)));
      }),
    ),
  );
}

const labelOf = (format: string) => (format === "masks" ? t("download.masks") : (LABELS[format] ?? format));

/** Remarks on the whole result; nothing where there are none. */
export function remarks({ notes }: Delineation): HTMLElement | undefined {
  if (!notes.length) return undefined;
  return h(
    "section",
    { class: "remarks", "data-testid": "remarks" },
    ...notes.map((note) => h("p", { class: "note", lang: "en" }, sentence(note))),
  );
}

export function provenance({ detector, provenance: { seconds, device } }: Delineation): HTMLElement {
  const { title, version } = detector;
  const made = { version, seconds: seconds.toFixed(1), device };
  return h(
    "section",
    { class: "provenance" },
    h("p", { class: "muted" }, h("span", { lang: "en" }, title), t(device ? "outcome.madeOn" : "outcome.made", made)),
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
      h("p", { "data-testid": "error-message", lang: told instanceof ServiceError && told.status ? "en" : undefined }, sentence(told.message) || t("failure.silent")),
      report && reportView(report),
      h(
        "div",
        { class: "actions" },
        again && h("button", { type: "button", class: "primary", on: { click: again } }, t("failure.again")),
        h("button", { type: "button", on: { click: another } }, t("failure.another")),
      ),
      h("p", { class: "muted code" }, title),
    ),
  );
}

function heading(title: string): string {
  const known: Record<string, Key> = {
    UploadError: "failure.upload",
    InputError: "failure.input",
    GeometryError: "failure.input",
    UnreadableFileError: "failure.unreadable",
    UnsuitableImageError: "failure.unsuitable",
    DetectorCrashError: "failure.crash",
    DetectorError: "failure.detector",
    ModelError: "failure.model",
  };
  return t(known[title] ?? "failure.other");
}
