/** How far an upload or a job is. */

import { fill, h, sentence } from "./dom";
import { type Key, t, TEXTS } from "./texts";

export class Progress {
  readonly element: HTMLElement;
  readonly #bar = h("progress", { max: 1, "aria-label": t("progress.bar") });
  readonly #stage = h("p", { class: "stage-name", "data-testid": "stage" });
  readonly #percent = h("span", { class: "percent" });
  readonly #cancel: HTMLButtonElement;

  constructor(title: string, cancel: () => void) {
    this.#cancel = h(
      "button",
      { type: "button", "data-testid": "cancel", on: { click: cancel } },
      t("progress.cancel"),
    );
    this.element = h(
      "div",
      { class: "progress", "data-testid": "progress", role: "status" },
      h("div", { class: "progress-head" }, h("h2", {}, title), this.#percent),
      this.#bar,
      this.#stage,
      this.#cancel,
    );
  }

  /** `part` from 0 to 1; `undefined` where nobody knows. */
  tell(part: number | undefined, stage: string): void {
    if (part === undefined) this.#bar.removeAttribute("value");
    else this.#bar.value = part;
    fill(this.#percent, part === undefined ? "" : `${Math.round(part * 100)} %`);
    fill(this.#stage, stage);
  }

  cancelling(): void {
    this.#cancel.disabled = true;
    fill(this.#stage, t("progress.cancelling"));
  }
}

/** What a job is at, in the language of the page where it is one of the usual stages. */
export function stageOf(stage: string): string {
  const key = `stage.${stage}`;
  return Object.hasOwn(TEXTS, key) ? t(key as Key) : sentence(stage);
}
