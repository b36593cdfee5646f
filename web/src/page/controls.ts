/** Controls for what lies over the image: a heat map, a restored image. */

import { GRADIENT, type Range } from "../imaging/heat";
import type { Volume } from "../imaging/volume";
import { type Finding, sizeOf } from "../service/documents";
import { fill, h, sentence } from "./dom";
import type { Store, ViewState } from "./store";
import { t } from "./texts";

const STEPS = 200;
const NAMES = { source: "restored.source", split: "restored.split", restored: "restored.restored" } as const;

export interface Controls {
  readonly element: HTMLElement;
  draw(): void;
}

/** A legend, and from which score on the colours are shown; the outline stays where it is. */
export function heatControls(
  finding: Finding | undefined,
  { low, high }: Range,
  store: Store<ViewState>,
): Controls {
  const { meaning = "score", threshold } = finding?.measurements ?? {};
  const shown = h("input", { type: "checkbox", "data-testid": "heat-shown" });
  const from = h("input", { type: "range", min: 0, max: STEPS, "data-testid": "heat-from", "aria-label": t("heat.fromAbout") });
  const opacity = h("input", { type: "range", min: 0, max: 100, "data-testid": "heat-opacity", "aria-label": t("heat.opacityAbout") });
  const told = h("output", { "data-testid": "heat-told" });
  const legend = h("div", { class: "legend", role: "img", "aria-label": t("heat.legend", { low: number(low), high: number(high) }) });
  legend.style.backgroundImage = GRADIENT;
  if (threshold !== undefined && threshold >= low && threshold <= high) {
    const tick = h("span", { class: "tick", title: t("heat.outlined", { from: number(threshold) }) });
    tick.style.left = `${((threshold - low) / (high - low)) * 100}%`;
    legend.append(tick);
  }
  const change = (part: Partial<ViewState["heat"]>) =>
    store.update({ heat: { ...store.value.heat, ...part } });
  shown.addEventListener("change", () => change({ shown: shown.checked }));
  opacity.addEventListener("input", () => change({ opacity: Number(opacity.value) / 100 }));
  from.addEventListener("input", () => {
    const step = Number(from.value);
    change({ from: step ? low + (step / STEPS) * (high - low) : -Infinity });
  });
  const outlined = threshold === undefined ? "" : `${t("heat.outlined", { from: number(threshold) })} `;
  const element = h(
    "section",
    { class: "heat", "data-testid": "heat" },
    h("label", { class: "switch" }, shown, h("h2", { lang: "en" }, sentence(meaning))),
    legend,
    h("div", { class: "ends muted" }, h("span", {}, number(low)), h("span", {}, number(high))),
    h("label", {}, h("span", {}, t("heat.from")), from),
    h("label", {}, h("span", {}, t("heat.opacity")), opacity),
    h("p", { class: "muted" }, outlined, told),
  );
  return {
    element,
    draw: () => {
      const { heat } = store.value;
      shown.checked = heat.shown;
      from.value = String(Math.max(0, Math.round(((heat.from - low) / (high - low)) * STEPS)) || 0);
      opacity.value = String(Math.round(heat.opacity * 100));
      fill(told, heat.from > low ? t("heat.some", { from: number(heat.from) }) : t("heat.all"));
    },
  };
}

/** Which of the two images is seen, and what the restored one is. */
export function restoredControls(source: Volume, restored: Volume, store: Store<ViewState>): Controls {
  const buttons = (Object.keys(NAMES) as (keyof typeof NAMES)[]).map((shown) => ({
    shown,
    button: h(
      "button",
      { type: "button", "data-testid": `show-${shown}`, on: { click: () => store.update({ shown }) } },
      t(NAMES[shown]),
    ),
  }));
  const element = h(
    "section",
    { class: "restored", "data-testid": "restored" },
    h("h2", {}, t("restored.title")),
    h("div", { class: "segments", role: "group", "aria-label": t("restored.shown") }, ...buttons.map(({ button }) => button)),
    h(
      "dl",
      { class: "facts" },
      h("dt", {}, t("restored.source")),
      h("dd", {}, sizeOf(source.shape)),
      h("dt", {}, t("restored.restored")),
      h("dd", {}, sizeOf(restored.shape)),
    ),
    h("p", { class: "muted" }, t("restored.help")),
  );
  return {
    element,
    draw: () => {
      for (const { shown, button } of buttons) {
        button.setAttribute("aria-pressed", String(store.value.shown === shown));
      }
    },
  };
}

function number(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3 });
}
