/** What is known of the image as a whole: a count, classes, other numbers. */

import { CORRECTION, REFERENCE } from "../service/cases";
import type { Delineation } from "../service/documents";
import { h } from "./dom";
import { spoken, t } from "./texts";

const BY_PEOPLE: readonly string[] = [CORRECTION, REFERENCE];

/** How many were found, large, with the interval that the detector's errors leave. */
export function countView({ detector, findings, overall = {} }: Delineation): HTMLElement {
  const { count = findings.length, count_low: low, count_high: high } = overall;
  const told =
    low !== undefined && high !== undefined
      ? t("whole.interval", { low: figure(low), high: figure(high) })
      : t(BY_PEOPLE.includes(detector.id) ? "whole.byPeople" : "whole.noInterval");
  return h(
    "section",
    { class: "count", "data-testid": "count" },
    h("strong", {}, figure(count)),
    h("span", { class: "muted" }, told),
  );
}

/** All numbers on the whole image but the counts; nothing where there are none. */
export function overallView({ overall = {} }: Delineation): HTMLElement | undefined {
  const rows = Object.entries(overall).filter(([name]) => name !== "count" && !name.startsWith("count_"));
  if (!rows.length) return undefined;
  return h(
    "dl",
    { class: "facts overall", "data-testid": "overall" },
    ...rows.flatMap(([name, value]) => [h("dt", {}, spoken(name)), h("dd", {}, figure(value))]),
  );
}

/** Bars of probability, the likeliest first. */
export function classesView({ findings }: Delineation): HTMLElement {
  const rows = [...findings].sort((one, other) => (other.score ?? 0) - (one.score ?? 0));
  return h(
    "section",
    { class: "classes", "aria-label": t("whole.classes") },
    h("h2", {}, t("whole.title")),
    h(
      "ul",
      { "data-testid": "classes" },
      ...rows.map(({ category, score, notes }) => {
        const bar = h("span", { class: "bar" });
        bar.style.setProperty("--part", String(score ?? 0));
        bar.style.setProperty("--colour", /^#[0-9a-f]{6}$/i.test(category.colour) ? category.colour : "gray");
        return h(
          "li",
          { "data-testid": "class", "data-name": category.name, "data-score": score ?? "" },
          h("span", { class: "name" }, spoken(category.name)),
          h("span", { class: "percent" }, percent(score)),
          bar,
          ...notes.map((note) => h("span", { class: "note" }, note)),
        );
      }),
    ),
  );
}

/** Whole per cent, but never certainty that was not given. */
function percent(score: number | null): string {
  if (score === null) return "–";
  if (score > 0.99 && score < 1) return "> 99 %";
  if (score < 0.01 && score > 0) return "< 1 %";
  return `${Math.round(score * 100)} %`;
}

function figure(value: number): string {
  const digits = Number.isInteger(value) ? 0 : Math.max(0, 3 - Math.ceil(Math.log10(Math.abs(value) || 1)));
  return value.toLocaleString("en", { maximumFractionDigits: Math.min(digits, 6) });
}
