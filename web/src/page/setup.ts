/** After the upload: choose a series, a detector and its options, and start. */

import { type Detector, mismatch, type Series, suited, type UploadedImage } from "../service/documents";
import { fill, h } from "./dom";
import { type Images, type OptionForm, optionForm } from "./options";
import { reportView } from "./report";
import { type Key, t, TAG } from "./texts";

export interface Request {
  readonly series: Series;
  readonly detector: Detector;
  readonly options: Record<string, unknown>;
}

/** What starting a detector is called, by its task. */
const VERBS: Readonly<Record<string, Key>> = {
  segmentation: "verb.segmentation",
  detection: "verb.detection",
  counting: "verb.counting",
  classification: "verb.classification",
  anomaly: "verb.anomaly",
  restoration: "verb.restoration",
};

export function setupPage(
  image: UploadedImage,
  detectors: readonly Detector[],
  images: Images,
  start: (request: Request) => Promise<void>,
  scale: ((spacing: string) => Promise<void>) | undefined,
): HTMLElement {
  let series: Series | undefined;
  let detector: Detector | undefined;
  let form: OptionForm | undefined;
  const select = h("select", { "data-testid": "detector", "aria-label": t("setup.detector") });
  const about = h("p", { class: "muted" });
  const refused = h("p", { class: "muted" });
  const options = h("div", {});
  const fault = h("p", { class: "fault", role: "alert" });
  const run = h("button", { type: "submit", class: "primary", "data-testid": "start" }, t("verb.detection"));

  const chooseDetector = () => {
    detector = detectors.find(({ id }) => id === select.value);
    if (!detector || !series) return;
    const reason = mismatch(detector, series);
    about.lang = reason ? TAG : "en";
    fill(about, reason ? t("setup.mismatch", { why: reason }) : detector.intended_use);
    const refuses = detector.wants.refuses ?? [];
    fill(refused, refuses.length > 0 && t("setup.refuses", { what: refuses.join(", ") }));
    fill(run, t(VERBS[detector.task] ?? "verb.detection"));
    form = optionForm(detector.options_schema, images);
    fill(options, form.element);
    run.disabled = reason !== undefined;
  };
  const chooseSeries = (chosen: Series) => {
    series = chosen;
    fill(
      select,
      ...suited(detectors, chosen).map((candidate) => {
        const reason = mismatch(candidate, chosen);
        const title = reason ? `${candidate.title} (${reason})` : candidate.title;
        return h("option", { value: candidate.id, disabled: reason !== undefined }, title);
      }),
    );
    chooseDetector();
  };
  select.addEventListener("change", chooseDetector);

  const panel = h(
    "form",
    { class: "card setup" },
    h("label", {}, h("span", {}, t("setup.detector")), select),
    about,
    refused,
    options,
    fault,
    run,
  );
  panel.noValidate = true;
  panel.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!series || !detector || !form) return;
    fill(fault);
    run.disabled = true;
    const request = { series, detector };
    Promise.resolve()
      .then(() => start({ ...request, options: form!.read() }))
      .catch((error: unknown) => {
        fill(fault, error instanceof Error ? error.message : String(error));
        run.disabled = false;
      });
  });

  const report = reportView(image.report, chooseSeries);
  const first = image.report.series.find(({ verdict }) => verdict !== "refused");
  if (first) chooseSeries(first);
  const pick = report.querySelector<HTMLInputElement>("input[type=radio]:not(:disabled)");
  if (pick) pick.checked = true;
  if (!detectors.length) fill(about, t("setup.none"));
  const files = image.files === 1 ? t("upload.file") : t("upload.files", { n: image.files });
  const unscaled = first?.modality === "photo" && first.unit !== "mm";
  if (scale && unscaled) report.append(scaleForm(scale));
  const large = image.bytes >= 1e5;
  const size = `${(image.bytes / (large ? 1e6 : 1e3)).toLocaleString("en", { maximumFractionDigits: large ? 1 : 0 })} ${large ? "MB" : "kB"}`;
  return h(
    "main",
    { class: "setup-page" },
    h("h1", {}, t("setup.received")),
    h("p", { class: "muted" }, `${files}, ${size}`),
    h("div", { class: "columns" }, report, panel),
  );
}

/** State the size of a pixel, for areas and lengths in mm. */
function scaleForm(scale: (spacing: string) => Promise<void>): HTMLElement {
  const entry = h("input", {
    type: "text",
    inputmode: "decimal",
    placeholder: t("setup.unknown"),
    "data-testid": "spacing",
    "aria-label": t("setup.pixelSize"),
  });
  const button = h("button", { type: "submit", "data-testid": "set-spacing" }, t("setup.set"));
  const fault = h("p", { class: "fault", role: "alert" });
  const form = h(
    "form",
    { class: "card scale" },
    h("label", {}, h("span", {}, t("setup.pixelSize")), entry),
    button,
    fault,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const spacing = entry.value.trim();
    if (!spacing) return;
    button.disabled = true;
    fill(fault);
    scale(spacing).catch((error: unknown) => {
      fill(fault, error instanceof Error ? error.message : String(error));
      button.disabled = false;
    });
  });
  return form;
}
