/** Parts that the columns of all kinds of editing have. */

import { fill, h } from "../page/dom";
import { t } from "../page/texts";
import type { Tool } from "./editor";
import type { Deeds, Editable } from "./session";
import type { ThingTool } from "./thingeditor";

type Undoable = Editable & { readonly canUndo: boolean; readonly canRedo: boolean };

/** A button with the words of its name. */
export function deedButton(
  name: "undo" | "redo" | "holes" | "interpolate" | "close",
  click: () => void,
): HTMLButtonElement {
  const about = name === "close" ? undefined : t(`edit.${name}About`);
  return h("button", { type: "button", title: about, "data-testid": `edit-${name}`, on: { click } }, t(`edit.${name}`));
}

/** A button for each tool. */
export function toolButtons<T extends Tool | ThingTool>(tools: readonly T[], choose: (tool: T) => void): HTMLButtonElement[] {
  return tools.map((tool) =>
    h(
      "button",
      {
        type: "button",
        class: "toggle",
        title: t(`edit.tool.${tool}About`),
        "data-testid": `edit-${tool}`,
        on: { click: () => choose(tool) },
      },
      t(`edit.tool.${tool}`),
    ),
  );
}

/** Undo and redo, as far as they can be done. */
export class Steps {
  readonly undo: HTMLButtonElement;
  readonly redo: HTMLButtonElement;

  constructor(readonly editor: Undoable) {
    this.undo = deedButton("undo", () => editor.undo());
    this.redo = deedButton("redo", () => editor.redo());
  }

  draw(): void {
    this.undo.disabled = !this.editor.canUndo;
    this.redo.disabled = !this.editor.canRedo;
  }
}

/** The comment, how saving goes, and the buttons that save and close. */
export class Saving {
  readonly element: HTMLFormElement;
  readonly #comment = h("textarea", { rows: 2, maxlength: 2000, "data-testid": "edit-comment" });
  readonly #save = h("button", { type: "submit", class: "primary", "data-testid": "edit-save" }, t("edit.save"));
  readonly #told = h("p", { class: "muted", role: "status", "data-testid": "edit-told" });

  constructor(
    readonly editor: Editable,
    deeds: Deeds,
  ) {
    this.element = h(
      "form",
      { class: "edit-save" },
      h("label", {}, h("span", {}, t("edit.comment")), this.#comment),
      this.#told,
      h("div", { class: "actions" }, this.#save, deedButton("close", deeds.close)),
    );
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save.disabled = true;
      void deeds.save(this.#comment.value.trim()).finally(() => this.draw());
    });
  }

  /** Tell how saving goes, or what stands in its way. */
  tell(text: string, wrong = false): void {
    fill(this.#told, text);
    this.#told.classList.toggle("fault", wrong);
  }

  draw(): void {
    this.#save.disabled = !this.editor.edited;
  }
}
