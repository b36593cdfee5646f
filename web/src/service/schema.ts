/** From the JSON schema of a detector's options to the fields of a form, and back to values. */

import { t } from "../page/texts";

export type Field = {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly initial: unknown;
  /** May be left empty, which means null. */
  readonly optional: boolean;
} & (
  | { readonly kind: "boolean" }
  | {
      readonly kind: "number";
      readonly whole: boolean;
      readonly min: number | undefined;
      readonly max: number | undefined;
    }
  | { readonly kind: "choice"; readonly choices: readonly unknown[] }
  | { readonly kind: "choices"; readonly choices: readonly string[] }
  | { readonly kind: "text" }
  /** The id of another image. */
  | { readonly kind: "image" }
  | { readonly kind: "list" }
  | { readonly kind: "json" }
);

type Schema = Record<string, unknown>;

const isObject = (value: unknown): value is Schema =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export function fieldsOf(schema: unknown): Field[] {
  if (!isObject(schema) || !isObject(schema.properties)) return [];
  return Object.entries(schema.properties)
    .filter((entry): entry is [string, Schema] => isObject(entry[1]))
    .map(([name, property]) => fieldOf(name, property, schema));
}

function fieldOf(name: string, property: Schema, root: Schema): Field {
  const { schema, optional } = settled(property, root);
  const text = (value: unknown) => (typeof value === "string" ? value : "");
  const about = {
    name,
    title: text(property.title) || text(schema.title) || name,
    description: text(property.description) || text(schema.description),
    initial: property.default ?? schema.default ?? null,
    optional,
  };
  const choices = choicesOf(schema);
  if (choices) return { ...about, kind: "choice", choices };
  switch (schema.type) {
    case "boolean":
      return { ...about, kind: "boolean" };
    case "integer":
    case "number":
      return { ...about, kind: "number", whole: schema.type === "integer", ...limits(schema) };
    case "string":
      return { ...about, kind: schema.format === "image" ? "image" : "text" };
    case "array": {
      const items = isObject(schema.items) ? settled(schema.items, root).schema : {};
      const known = choicesOf(items);
      if (known?.every((choice) => typeof choice === "string")) {
        return { ...about, kind: "choices", choices: known as string[] };
      }
      return { ...about, kind: items.type === "string" ? "list" : "json" };
    }
    default:
      return { ...about, kind: "json" };
  }
}

/** Follow `$ref` and `allOf` of one, and take `anyOf: [X, null]` for an optional X. */
function settled(schema: Schema, root: Schema): { schema: Schema; optional: boolean } {
  if (typeof schema.$ref === "string") {
    const name = schema.$ref.replace(/^#\/\$defs\//, "");
    const target = isObject(root.$defs) ? root.$defs[name] : undefined;
    return isObject(target) ? settled(target, root) : { schema: {}, optional: false };
  }
  const all = schema.allOf;
  if (Array.isArray(all) && all.length === 1 && isObject(all[0])) return settled(all[0], root);
  const any = schema.anyOf;
  if (Array.isArray(any)) {
    const rest = any.filter((part) => isObject(part) && part.type !== "null");
    const optional = rest.length < any.length;
    if (rest.length === 1) return { schema: settled(rest[0], root).schema, optional };
    return { schema: {}, optional };
  }
  return { schema, optional: false };
}

function choicesOf(schema: Schema): readonly unknown[] | undefined {
  if (Array.isArray(schema.enum)) return schema.enum;
  return "const" in schema ? [schema.const] : undefined;
}

function limits(schema: Schema): { min: number | undefined; max: number | undefined } {
  const number = (value: unknown) => (typeof value === "number" ? value : undefined);
  return {
    min: number(schema.minimum) ?? number(schema.exclusiveMinimum),
    max: number(schema.maximum) ?? number(schema.exclusiveMaximum),
  };
}

/** Raised for what somebody typed. */
export class EntryError extends Error {}

/** The value that a form's text stands for; `undefined` leaves the option at its default. */
export function valueOf(field: Field, entered: string): unknown {
  const text = entered.trim();
  if (!text) return field.optional ? null : undefined;
  switch (field.kind) {
    case "number": {
      const value = Number(text);
      if (!Number.isFinite(value) || (field.whole && !Number.isInteger(value))) {
        throw new EntryError(t(field.whole ? "option.whole" : "option.number", { title: field.title }));
      }
      return value;
    }
    case "list":
      return text
        .split(/[,\n]/)
        .map((part) => part.trim())
        .filter(Boolean);
    case "json":
      try {
        return JSON.parse(text);
      } catch {
        throw new EntryError(t("option.json", { title: field.title }));
      }
    default:
      return text;
  }
}

/** How a value is first shown in a text entry. */
export function entryOf(field: Field): string {
  const { initial } = field;
  if (initial === null || initial === undefined) return "";
  if (field.kind === "list" && Array.isArray(initial)) return initial.join(", ");
  return field.kind === "json" ? JSON.stringify(initial) : String(initial);
}
