/** Asks for a key, where the service wants one. The key goes to the service and is kept nowhere. */

import { fill, h } from "./dom";
import { t } from "./texts";

export function loginPage(enter: (key: string) => Promise<void>): HTMLElement {
  const key = h("input", {
    type: "password",
    name: "key",
    autocomplete: "current-password",
    required: true,
    spellcheck: "false",
    "data-testid": "key",
  });
  const told = h("p", { role: "alert", "data-testid": "login-message" });
  const button = h("button", { type: "submit", class: "primary" }, t("login.in"));
  const submit = async (event: Event) => {
    event.preventDefault();
    button.disabled = true;
    fill(told, "");
    try {
      await enter(key.value);
    } catch (error) {
      fill(told, error instanceof Error ? error.message : String(error));
      key.select();
    } finally {
      button.disabled = false;
    }
  };
  const form = h(
    "form",
    { class: "card login", on: { submit: (event) => void submit(event) } },
    h("h1", {}, t("login.who")),
    h("p", { class: "muted" }, t("login.about")),
    h("label", {}, t("login.key"), key),
    told,
    h("div", { class: "actions" }, button),
  );
  return h("main", { class: "centre" }, form);
}
