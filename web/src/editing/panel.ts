/** The column beside the planes while contours are edited. */

import "./editing.css";
import { fill, h } from "../page/dom";
import { spoken, t } from "../page/texts";
import type { Editor, Tool } from "./editor";
import type { Structure } from "./history";
import { deedButton, Saving, Steps, toolButtons } from "./parts";
import type { Deeds, Panel } from "./session";

const TOOLS: readonly Tool[] = ["none", "brush", "eraser", "add", "cut"];
/** Radii that the slider has, in mm or pixels: even steps of its logarithm. */
const [SMALLEST, LARGEST, STEPS] = [0.5, 60, 100] as const;

/** What the panel's buttons do beside editing. */
export interface ContourDeeds extends Deeds {
  readonly holes: () => void;
  readonly interpolate: () => void;
}

export class EditPanel implements Panel {
  readonly element: HTMLElement;
  readonly #tools = toolButtons(TOOLS, (tool) => this.choose(tool));
  readonly #radius = h("input", { type: "range", min: 0, max: STEPS, "data-testid": "edit-radius" });
  readonly #radiusTold = h("output", {});
  readonly #list = h("ul", { class: "edit-structures", "data-testid": "edit-structures" });
  readonly #steps: Steps;
  readonly #saving: Saving;
  readonly #interpolate = deedButton("interpolate", () => this.deeds.interpolate());
  #listed: readonly Structure[] = [];

  constructor(
    readonly editor: Editor,
    readonly deeds: ContourDeeds,
    /** Index of the slice that is looked at, for what can be done there. */
    readonly slice: () => number,
  ) {
    const { unit } = editor.header;
    this.#steps = new Steps(editor);
    this.#saving = new Saving(editor, deeds);
    this.#radius.addEventListener("input", () => {
      editor.radius = SMALLEST * (LARGEST / SMALLEST) ** (Number(this.#radius.value) / STEPS);
      this.draw();
    });
    this.element = h(
      "section",
      { class: "editing", "aria-label": t("edit.title"), "data-testid": "editing" },
      h("h2", {}, t("edit.title")),
      h("div", { class: "segments", role: "group", "aria-label": t("edit.tools") }, ...this.#tools),
      h("label", { class: "edit-radius", title: t("edit.radiusAbout") }, h("span", {}, t("edit.radius", { unit })), this.#radius, this.#radiusTold),
      editor.header.shape[0] > 1 && this.#switch("sphere"),
      this.#switch("sparing"),
      h(
        "div",
        { class: "edit-deeds" },
        this.#steps.undo,
        this.#steps.redo,
        deedButton("holes", deeds.holes),
        editor.header.shape[0] > 2 && this.#interpolate,
      ),
      h("h3", {}, t("edit.structures")),
      this.#list,
      h(
        "button",
        { type: "button", class: "quiet", "data-testid": "edit-add-structure", on: { click: () => editor.add(t("edit.new")) } },
        t("edit.add"),
      ),
      this.#saving.element,
    );
    editor.listen(() => this.draw());
    this.draw();
  }

  choose(tool: Tool): void {
    this.editor.tool = tool;
    this.draw();
    this.onTool();
  }

  /** Told when another tool or brush is chosen. */
  onTool: () => void = () => {};

  /** Make the brush so many steps larger. */
  resize(steps: number): void {
    this.#radius.value = String(Number(this.#radius.value) + steps);
    this.#radius.dispatchEvent(new Event("input"));
    this.onTool();
  }

  tell(text: string, wrong = false): void {
    this.#saving.tell(text, wrong);
  }

  draw(): void {
    const { editor } = this;
    this.#tools.forEach((button, i) => button.setAttribute("aria-pressed", String(TOOLS[i] === editor.tool)));
    this.#radius.value = String(Math.round((STEPS * Math.log(editor.radius / SMALLEST)) / Math.log(LARGEST / SMALLEST)));
    fill(this.#radiusTold, editor.radius.toPrecision(2));
    this.#steps.draw();
    this.#saving.draw();
    this.#interpolate.disabled = !editor.around(this.slice());
    if (this.#listed !== editor.structures) {
      this.#listed = editor.structures;
      fill(this.#list, ...editor.structures.map((one) => this.#row(one)));
    }
    for (const { id } of editor.structures) {
      const row = this.#list.querySelector<HTMLElement>(`[data-label="${id}"]`);
      if (!row) continue;
      row.querySelector<HTMLInputElement>("input[type=radio]")!.checked = id === editor.active;
      row.classList.toggle("active", id === editor.active);
      fill(row.querySelector("output")!, amount(editor, id));
    }
  }

  #row({ id, name, colour }: Structure): HTMLElement {
    const { editor } = this;
    const called = spoken(name);
    const act = (deed: () => void) => () => {
      deed();
      this.draw();
    };
    const radio = h("input", {
      type: "radio",
      name: "edit-structure",
      "aria-label": t("edit.choose", { name: called }),
      on: { change: act(() => (editor.active = id)) },
    });
    const tint = h("input", { type: "color", value: colour, "aria-label": t("edit.colour", { name: called }) });
    tint.addEventListener("change", () => editor.change(id, { colour: tint.value }));
    const entry = h("input", { type: "text", value: name, maxlength: 64, "aria-label": t("edit.name", { name: called }) });
    entry.addEventListener("change", () => editor.change(id, { name: entry.value }));
    entry.addEventListener("focus", act(() => (editor.active = id)));
    return h(
      "li",
      { "data-label": id, "data-name": name, "data-testid": "edit-structure" },
      radio,
      tint,
      entry,
      h("output", {}),
      h(
        "button",
        { type: "button", class: "quiet", "aria-label": t("edit.remove", { name: called }), on: { click: () => editor.remove(id) } },
        "×",
      ),
    );
  }

  #switch(name: "sphere" | "sparing"): HTMLElement {
    const box = h("input", { type: "checkbox", "data-testid": `edit-${name}` });
    box.addEventListener("change", () => (this.editor[name] = box.checked));
    return h("label", { class: "edit-switch" }, box, t(`edit.${name}`));
  }
}

/** How large a structure is now: a volume, or so many pixels of a picture. */
function amount({ labels, metric, header }: Editor, id: number): string {
  const count = labels.counts[id] ?? 0;
  if (header.unit !== "mm" || header.shape[0] === 1) return `${count.toLocaleString("en")} px`;
  const [[aa, ab, ac], [, bb, bc], [, , cc]] = metric as [[number, number, number], [number, number, number], [number, number, number]];
  const sample = Math.sqrt(aa * (bb * cc - bc * bc) - ab * (ab * cc - bc * ac) + ac * (ab * bc - bb * ac));
  const ml = (count * sample) / 1000;
  return `${ml.toLocaleString("en", { maximumFractionDigits: ml < 10 ? 2 : ml < 100 ? 1 : 0 })} ml`;
}
