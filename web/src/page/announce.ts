/** Tells those who do not see the page what has changed on it. */

import { fill, h } from "./dom";

const region = h("div", { class: "unseen", role: "status", "aria-live": "polite", "data-testid": "announced" });
let timer: ReturnType<typeof setTimeout> | undefined;

/** To stand on the page all the time. */
export const announcer: HTMLElement = region;

/** Have a text read out; of several at once, the last. */
export function announce(text: () => string): void {
  clearTimeout(timer);
  timer = setTimeout(() => fill(region, text()), 250);
}
