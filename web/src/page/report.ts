/** What the service makes of an upload: geometry, problems, ignored files. */

import { type Report, type Series, sizeOf, titleOf, type Verdict } from "../service/documents";
import { h } from "./dom";
import { t } from "./texts";

const VERDICTS = {
  usable: "report.usable",
  corrected: "report.corrected",
  refused: "report.refused",
} as const satisfies Record<Verdict, string>;

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
        h("summary", {}, report.ignored.length === 1 ? t("report.ignoredOne") : t("report.ignored", { n: report.ignored.length })),
        h(
          "ul",
          {},
          ...report.ignored.map(({ name, reason }) =>
            h("li", {}, h("code", {}, name), h("span", { class: "muted", lang: "en" }, reason)),
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
      h("span", { class: `badge ${series.verdict}` }, t(VERDICTS[series.verdict])),
    ),
    h(
      "dl",
      { class: "facts" },
      ...facts(series).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
    ),
    series.advice !== "" && h("p", { class: "advice", lang: "en" }, series.advice),
    series.problems.length > 0 &&
      h(
        "ul",
        { class: "problems", lang: "en" },
        ...series.problems.map(({ code, message }) => h("li", { "data-code": code }, message)),
      ),
  );
}

function facts(series: Series): [string, string][] {
  const lengths = (values: readonly number[], digits: number) =>
    values.map((value) => Number(value.toFixed(digits))).join(" × ");
  const scaled = series.unit === "mm";
  const list: [string, string][] = [
    [t("report.kind"), [...new Set([series.modality, series.format])].join(", ")],
    [t("report.size"), sizeOf(series.shape)],
  ];
  if (scaled && series.modality === "photo") {
    list.push([t("report.pixel"), `${lengths(series.spacing_mm.slice(1), 6)} mm`]);
    list.push([t("report.extent"), `${lengths(series.field_of_view_mm.slice(1), 1)} mm`]);
  } else if (scaled) {
    list.push([t("report.spacing"), `${lengths(series.spacing_mm, 3)} mm`]);
    list.push([t("report.extent"), `${lengths(series.field_of_view_mm, 0)} mm`]);
    list.push([t("report.orientation"), series.orientation]);
  }
  if (series.tilt_degrees) list.push([t("report.tilt"), `${series.tilt_degrees.toFixed(1)}°`]);
  return list;
}
