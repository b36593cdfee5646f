/** A form for a detector's options, built from their JSON schema. */

import { EntryError, entryOf, type Field, fieldsOf, valueOf } from "../service/schema";
import { fill, h } from "./dom";
import { t } from "./texts";
import { calledBy, type UploadedImage } from "../service/documents";
import { chosen, type Gathered } from "../upload/gather";

/** Other images that an option may name. */
export interface Images {
  readonly offered: () => readonly UploadedImage[];
  readonly upload: (files: readonly Gathered[]) => Promise<UploadedImage>;
}

export interface OptionForm {
  readonly element: HTMLElement;
  /** What differs from the defaults; throws an `EntryError` for what cannot be read. */
  read(): Record<string, unknown>;
}

export function optionForm(schema: unknown, images: Images): OptionForm {
  const entries = fieldsOf(schema).map((field) => ({ field, ...entry(field, images) }));
  return {
    element: h(
      "div",
      { class: "options", "data-testid": "options" },
      ...entries.map(({ field, element }) =>
        h(
          "div",
          { class: `option ${field.kind}`, "data-name": field.name },
          element,
          field.description !== "" && h("p", { class: "muted", lang: "en" }, field.description),
        ),
      ),
    ),
    read: () =>
      Object.fromEntries(
        entries
          .map(({ field, read }) => [field, read()] as const)
          .filter(([field, value]) => value !== undefined && !same(value, field.initial))
          .map(([field, value]) => [field.name, value]),
      ),
  };
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

function entry(field: Field, images: Images): { element: HTMLElement; read: () => unknown } {
  switch (field.kind) {
    case "boolean": {
      const box = h("input", { type: "checkbox", checked: field.initial === true });
      return { element: h("label", { lang: "en" }, box, field.title), read: () => box.checked };
    }
    case "choice": {
      const choices = field.optional ? [null, ...field.choices] : field.choices;
      const select = h(
        "select",
        { lang: "en" },
        ...choices.map((choice, i) =>
          h("option", { value: i, selected: same(choice, field.initial) }, choice === null ? "–" : String(choice)),
        ),
      );
      return { element: labelled(field, select), read: () => choices[select.selectedIndex] };
    }
    case "choices": {
      const initial = Array.isArray(field.initial) ? field.initial : [];
      const boxes = field.choices.map((choice) => ({
        choice,
        box: h("input", { type: "checkbox", checked: initial.includes(choice) }),
      }));
      const element = h(
        "fieldset",
        {},
        h("legend", { lang: "en" }, field.title),
        ...boxes.map(({ choice, box }) => h("label", { lang: "en" }, box, choice)),
      );
      const read = () => {
        const picked = boxes.filter(({ box }) => box.checked).map(({ choice }) => choice);
        return field.optional && !picked.length ? null : picked;
      };
      return { element, read };
    }
    case "image":
      return imageEntry(field, images);
    default: {
      const number = field.kind === "number";
      const input = h("input", {
        type: number ? "number" : "text",
        value: entryOf(field),
        step: number ? (field.whole ? 1 : "any") : undefined,
        min: number ? field.min : undefined,
        max: number ? field.max : undefined,
        placeholder: field.kind === "list" ? t("option.list") : undefined,
        spellcheck: "false",
      });
      return { element: labelled(field, input), read: () => valueOf(field, input.value) };
    }
  }
}

/** Choose among images that were uploaded, or upload another one. */
function imageEntry(field: Field, images: Images): { element: HTMLElement; read: () => unknown } {
  const select = h("select", { "data-testid": "image" });
  const told = h("p", { class: "muted", role: "status" });
  const file = h("input", { type: "file", hidden: true, "data-testid": "image-file" });
  const list = (id: string) => {
    fill(
      select,
      h("option", { value: "" }, t(images.offered().length ? "option.none" : "option.noneYet")),
      ...images.offered().map((image) => h("option", { value: image.id }, calledBy(image))),
    );
    select.value = id;
  };
  const button = h("button", { type: "button", on: { click: () => file.click() } }, t("option.another"));
  let wait: Promise<unknown> | undefined;
  file.addEventListener("change", () => {
    if (!file.files?.length) return;
    const files = chosen(file.files);
    file.value = "";
    button.disabled = true;
    fill(told, t("option.uploading", { name: files[0]!.path }));
    const upload = images.upload(files).then(
      (image) => {
        list(image.id);
        fill(told);
      },
      (error: unknown) => fill(told, error instanceof Error ? error.message : String(error)),
    );
    wait = upload.finally(() => {
      button.disabled = false;
      wait = undefined;
    });
  });
  list(typeof field.initial === "string" ? field.initial : "");
  const read = () => {
    if (wait) throw new EntryError(t("option.wait", { title: field.title }));
    return select.value || null;
  };
  return { element: h("div", { class: "image-entry" }, labelled(field, select), button, file, told), read };
}

function labelled(field: Field, input: HTMLElement): HTMLElement {
  return h("label", {}, h("span", { lang: "en" }, field.title), input);
}
