/** Language and colours of the page: as the browser asks, until somebody chooses. */

import { h, icon, ICONS } from "./dom";
import { LANGUAGE, speak, t, TAG } from "./texts";

type Scheme = "light" | "dark";

const KEPT = "delineate.scheme";

const dark = () => matchMedia("(prefers-color-scheme: dark)").matches;

/** Apply what was chosen before. */
export function applyPreferences(): void {
  document.documentElement.lang = TAG;
  const kept = localStorage.getItem(KEPT);
  if (kept === "light" || kept === "dark") document.documentElement.dataset.scheme = kept;
}

export function languageButton(): HTMLElement {
  const other = LANGUAGE === "en" ? "zh" : "en";
  return h(
    "button",
    {
      type: "button",
      class: "quiet",
      "data-testid": "language",
      lang: other === "zh" ? "zh-Hans" : "en",
      title: t("app.toLanguage"),
      on: { click: () => speak(other) },
    },
    t("app.language"),
  );
}

export function themeButton(): HTMLElement {
  const change = () => {
    const { dataset } = document.documentElement;
    const now: Scheme = dataset.scheme === "dark" || (!dataset.scheme && dark()) ? "dark" : "light";
    dataset.scheme = now === "dark" ? "light" : "dark";
    localStorage.setItem(KEPT, dataset.scheme);
  };
  return h(
    "button",
    {
      type: "button",
      class: "quiet",
      "data-testid": "theme",
      title: t("app.theme"),
      "aria-label": t("app.theme"),
      on: { click: change },
    },
    icon(...ICONS.theme),
  );
}
