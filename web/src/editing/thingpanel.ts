/** The column beside a picture while the things on it are edited. */

import "./editing.css";
import { fill, h } from "../page/dom";
import { spoken, t } from "../page/texts";
import { Saving, Steps, toolButtons } from "./parts";
import type { Deeds, Panel } from "./session";
import type { Kind, ThingEditor, ThingTool } from "./thingeditor";

const TOOLS: readonly ThingTool[] = ["none", "mark", "remove", "rename"];

export class ThingPanel implements Panel {
  readonly element: HTMLElement;
  readonly #tools = toolButtons(TOOLS, (tool) => this.choose(tool));
  readonly #list = h("ul", { class: "edit-structures", "data-testid": "edit-kinds" });
  readonly #total = h("output", { "data-testid": "edit-total" });
  readonly #steps: Steps;
  readonly #saving: Saving;
  #listed: readonly Kind[] = [];

  constructor(
    readonly editor: ThingEditor,
    deeds: Deeds,
  ) {
    this.#steps = new Steps(editor);
    this.#saving = new Saving(editor, deeds);
    const entry = h("input", { type: "text", maxlength: 64, placeholder: t("edit.kindName"), "aria-label": t("edit.kindName"), "data-testid": "edit-kind-name" });
    const add = h("form", { class: "edit-kind" }, entry, h("button", { type: "submit", class: "quiet", "data-testid": "edit-kind-add" }, t("edit.addKind")));
    add.addEventListener("submit", (event) => {
      event.preventDefault();
      editor.addKind(entry.value);
      entry.value = "";
    });
    this.element = h(
      "section",
      { class: "editing things", "aria-label": t("edit.title"), "data-testid": "editing" },
      h("h2", {}, t("edit.title")),
      h("div", { class: "segments", role: "group", "aria-label": t("edit.tools") }, ...this.#tools),
      h("p", { class: "muted" }, t("edit.thingsAbout")),
      h("div", { class: "edit-deeds" }, this.#steps.undo, this.#steps.redo),
      h("div", { class: "list-head" }, h("h3", {}, t("edit.kinds")), this.#total),
      this.#list,
      add,
      this.#saving.element,
    );
    editor.listen(() => this.draw());
    this.draw();
  }

  /** Told when another tool is chosen. */
  onTool: () => void = () => {};

  choose(tool: ThingTool): void {
    this.editor.tool = tool;
    this.draw();
    this.onTool();
  }

  tell(text: string, wrong = false): void {
    this.#saving.tell(text, wrong);
  }

  draw(): void {
    const { editor } = this;
    this.#tools.forEach((button, i) => button.setAttribute("aria-pressed", String(TOOLS[i] === editor.tool)));
    this.#steps.draw();
    this.#saving.draw();
    fill(this.#total, t("edit.inAll", { n: editor.things.length }));
    const { kinds } = editor.edits;
    if (this.#listed !== kinds) {
      this.#listed = kinds;
      fill(this.#list, ...kinds.map((kind) => this.#row(kind)));
    }
    for (const row of this.#list.querySelectorAll<HTMLElement>("li")) {
      const name = row.dataset.name!;
      row.classList.toggle("active", name === editor.active);
      row.querySelector("input")!.checked = name === editor.active;
      fill(row.querySelector("output")!, String(editor.count(name)));
    }
  }

  #row({ name, colour }: Kind): HTMLElement {
    const called = spoken(name);
    const radio = h("input", { type: "radio", name: "edit-kind", "aria-label": t("edit.chooseKind", { name: called }) });
    radio.addEventListener("change", () => {
      this.editor.active = name;
      this.draw();
    });
    const swatch = h("span", { class: "sample" });
    swatch.style.setProperty("--colour", colour);
    return h(
      "li",
      { "data-name": name, "data-testid": "edit-kind" },
      h("label", {}, radio, swatch, h("span", {}, called)),
      h("output", {}),
    );
  }
}
