/** What the service makes of an upload: geometry, problems, ignored files. */

import { type Report, type Series, sizeOf, titleOf, type Verdict } from "../service/documents";
import { h } from "./dom";

const VERDICTS: Record<Verdict, string> = {
  usable: "Usable",
  corrected: "Usable, corrected",
  refused: "Not usable",
};

/** Cards of the series; the chosen one is told to `choose`. */
export function reportView(report: Report, choose?: (series: Series) => void): HTMLElement {
  const cards = report.series.map((series) => card(series, choose, report.series.length > 1));
  return h(
    "section",
    { class: "report", "data-testid": "report", "data-verdict": report.verdict },
    ...cards,
    report.ignored.length > 0 &&
      h(
        "details",
        { class: "ignored", "data-testid": "ignored" },
        h("summary", {}, report.ignored.length === 1 ? "1 file was ignored" : `${report.ignored.length} files were ignored`),
        h(
          "ul",
          {},
          ...report.ignored.map(({ name, reason }) =>
            h("li", {}, h("code", {}, name), h("span", { class: "muted" }, reason)),
          ),
        ),
      ),
  );
}

function card(
  series: Series,
  choose: ((series: Series) => void) | undefined,
  several: boolean,
): HTMLElement {
  const selectable = choose && series.verdict !== "refused";
  const pick = h("input", {
    type: "radio",
    name: "series",
    value: series.id,
    disabled: !selectable,
    hidden: !several,
  });
  if (selectable) pick.addEventListener("change", () => choose(series));
  return h(
    "label",
    { class: "card series", "data-testid": "series", "data-id": series.id, "data-verdict": series.verdict },
    h(
      "div",
      { class: "card-head" },
      pick,
      h("strong", {}, titleOf(series)),
      h("span", { class: `badge ${series.verdict}` }, VERDICTS[series.verdict] ?? series.verdict),
    ),
    h(
      "dl",
      { class: "facts" },
      ...facts(series).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
    ),
    series.advice !== "" && h("p", { class: "advice" }, series.advice),
    series.problems.length > 0 &&
      h(
        "ul",
        { class: "problems" },
        ...series.problems.map(({ code, message }) => h("li", { "data-code": code }, message)),
      ),
  );
}

function facts(series: Series): [string, string][] {
  const lengths = (values: readonly number[], digits: number) =>
    values.map((value) => Number(value.toFixed(digits))).join(" × ");
  const scaled = series.unit === "mm";
  const list: [string, string][] = [
    ["Kind", [...new Set([series.modality, series.format])].join(", ")],
    ["Size", sizeOf(series.shape)],
  ];
  if (scaled && series.modality === "photo") {
    list.push(["A pixel", `${lengths(series.spacing_mm.slice(1), 6)} mm`]);
    list.push(["Extent", `${lengths(series.field_of_view_mm.slice(1), 1)} mm`]);
  } else if (scaled) {
    list.push(["Spacing", `${lengths(series.spacing_mm, 3)} mm`]);
    list.push(["Extent", `${lengths(series.field_of_view_mm, 0)} mm`]);
    list.push(["Orientation", series.orientation]);
  }
  if (series.tilt_degrees) list.push(["Gantry tilt", `${series.tilt_degrees.toFixed(1)}°`]);
  return list;
}
