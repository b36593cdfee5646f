/** What stands above everything: what is seen, what it is not for, where one may go. */

import type { Session } from "../service/client";
import { fill, h, icon, ICONS } from "./dom";
import { languageButton, themeButton } from "./preferences";
import { t } from "./texts";

export interface Ways {
  /** Whether what is on the page may be left. */
  readonly mayLeave: () => boolean;
  readonly toStart: () => void;
  readonly signOut: () => void;
}

export class Frame {
  readonly element: HTMLElement;
  readonly #subject = h("span", { class: "subject", translate: "no" });
  readonly #banner = h("span", { lang: "en" }, "");
  readonly #signOut: HTMLElement;

  constructor({ mayLeave, toStart, signOut }: Ways) {
    const brand = (event: Event) => (mayLeave() ? toStart() : event.preventDefault());
    const out = { type: "button", hidden: true, "data-testid": "sign-out", on: { click: signOut } };
    this.#signOut = h("button", out, t("login.out"));
    this.element = h(
      "header",
      {},
      h("a", { class: "brand", href: "#", on: { click: brand } }, mark(), "delineate"),
      this.#subject,
      h(
        "span",
        { class: "banner", role: "note", "data-testid": "banner" },
        icon(...ICONS.warning),
        h("strong", {}, t("app.warning")),
        this.#banner,
      ),
      h("a", { class: "button", href: "#cases", "data-testid": "to-cases" }, t("cases.title")),
      h("button", { type: "button", on: { click: () => mayLeave() && toStart() } }, t("app.new")),
      themeButton(),
      languageButton(),
      this.#signOut,
    );
  }

  /** Nobody is signed in where the service wants no key. */
  signedIn(who: Session | undefined): void {
    this.#signOut.hidden = !who || who.name === "local";
    this.#signOut.title = who ? `${who.name}, ${who.tenant}` : "";
  }

  /** The subject stays where none is given. */
  about(subject: string | undefined, intendedUse: string): void {
    if (subject !== undefined) fill(this.#subject, subject);
    fill(this.#banner, intendedUse.replace(/(?:, *| +|^)not for diagnosis\.?/i, ""));
    this.#banner.title = intendedUse;
  }
}

function mark(): SVGSVGElement {
  return icon("M12 3.5c5.5-1 9 3 8.500 8s-3.500 9-8.500 8.500S3 16 3.500 11 7 4.500 12 3.500z", "M11 9c2.500-1 5 .5 4.500 3s-3 4-5 3-2-5 .5-6z");
}
