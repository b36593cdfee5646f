/** What stands below the choice of two results of things: figures, and the way from one difference to the next. */

import type { Item } from "../imaging/layer";
import type { Things, ThingFigures } from "../service/cases";
import { figure } from "./comparison";
import { fill, h } from "./dom";
import { spoken, t } from "./texts";
import type { ThingDifferences } from "./things";

/** Figures of each category and of all; `within` is told another distance or overlap. */
export function thingsTable({ all, categories, by, least, unit }: Things, within: (least: number) => void): HTMLElement {
  const shown = by === "iou" ? Math.round(100 * least) : least;
  const input = h("input", {
    type: "number",
    min: by === "iou" ? 1 : 0,
    max: by === "iou" ? 100 : undefined,
    step: "any",
    value: shown,
    required: true,
    "data-testid": "compare-within",
  });
  input.addEventListener("change", () => {
    if (input.checkValidity()) within(by === "iou" ? Number(input.value) / 100 : Number(input.value));
    else input.reportValidity();
  });
  const heads = ["category", "here", "there", "shared", "precision", "recall", "f1"] as const;
  const several = categories.length > 1;
  return h(
    "div",
    {},
    h("label", { class: "within" }, t(`compare.by.${by}`, { unit }), input),
    h(
      "table",
      { class: "comparison-table", "data-testid": "comparison-table", "aria-label": t("compare.table") },
      h("caption", {}, t("compare.thingsTold", { f1: figure(all.f1, 3) })),
      h(
        "thead",
        {},
        h("tr", {}, ...heads.map((head) => h("th", { scope: "col", title: t(`compare.${head}About`) }, t(`compare.${head}`)))),
      ),
      h(
        "tbody",
        {},
        ...categories.map((one) => row(spoken(one.name), one)),
        several && row(t("compare.whatever"), all),
      ),
    ),
  );
}

function row(called: string, one: ThingFigures): HTMLElement {
  const { name, prediction, reference, hits, precision, recall, f1 } = one;
  const figures = [prediction, reference, hits, figure(precision, 2), figure(recall, 2), figure(f1, 2)];
  return h(
    "tr",
    { "data-name": name },
    h("th", { scope: "row" }, called),
    ...figures.map((told) => h("td", {}, String(told))),
  );
}

/** Buttons from one difference to the next, which tell what it is; nothing where there is none. */
export function differenceStepper(differences: ThingDifferences, go: (item: Item) => void): HTMLElement | undefined {
  const { differing } = differences;
  if (!differing.length) return undefined;
  const told = h("output", { "data-testid": "difference-told" }, t("compare.differing", { count: differing.length }));
  let at = -1;
  const step = (by: number) => () => {
    at = at < 0 && by < 0 ? differing.length - 1 : (at + by + differing.length) % differing.length;
    const { kind, name, item } = differing[at]!;
    differences.chosen = item;
    const what = `${spoken(name)}, ${t(`compare.${kind}`).toLowerCase()}`;
    fill(told, t("compare.difference", { at: at + 1, count: differing.length, what }));
    go(item);
  };
  const button = (name: "previous" | "next", by: number, sign: string) =>
    h(
      "button",
      {
        type: "button",
        title: t(`compare.${name}`),
        "aria-label": t(`compare.${name}`),
        "data-testid": `difference-${name}`,
        on: { click: step(by) },
      },
      sign,
    );
  return h("div", { class: "difference-steps" }, button("previous", -1, "‹"), told, button("next", 1, "›"));
}
