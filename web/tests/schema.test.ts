import { expect, test } from "vitest";
import { entryOf, fieldsOf, valueOf } from "../src/service/schema";

const SCHEMA = {
  $defs: { Mode: { enum: ["mean", "max"], type: "string" } },
  properties: {
    fast: { type: "boolean", default: false, title: "Fast" },
    overlap: { type: "number", minimum: 0, exclusiveMaximum: 1, default: 0.25 },
    tiles: { type: "integer", default: 3 },
    mode: { $ref: "#/$defs/Mode", default: "mean" },
    organs: { anyOf: [{ type: "array", items: { type: "string" } }, { type: "null" }], default: null },
    sides: { type: "array", items: { enum: ["left", "right"] }, default: ["left"] },
    name: { type: "string", default: "x", description: "What it is called." },
    sizes: { type: "array", items: { type: "number" }, default: [1, 2] },
  },
};
const FIELDS = Object.fromEntries(fieldsOf(SCHEMA).map((field) => [field.name, field]));

test("each kind of option has its kind of field", () => {
  expect(Object.values(FIELDS).map(({ kind }) => kind)).toEqual([
    "boolean", "number", "number", "choice", "list", "choices", "text", "json",
  ]);
  expect(FIELDS.overlap).toMatchObject({ min: 0, max: 1, whole: false, initial: 0.25 });
  expect(FIELDS.mode).toMatchObject({ choices: ["mean", "max"], initial: "mean" });
  expect(FIELDS.organs).toMatchObject({ optional: true, initial: null });
  expect(FIELDS.name).toMatchObject({ title: "name", description: "What it is called." });
});

test("what is entered becomes a value of the type", () => {
  expect(valueOf(FIELDS.overlap!, " 0.5 ")).toBe(0.5);
  expect(valueOf(FIELDS.organs!, "liver, spleen,")).toEqual(["liver", "spleen"]);
  expect(valueOf(FIELDS.organs!, "")).toBeNull();
  expect(valueOf(FIELDS.tiles!, "")).toBeUndefined();
  expect(valueOf(FIELDS.sizes!, "[3]")).toEqual([3]);
  expect(entryOf(FIELDS.sizes!)).toBe("[1,2]");
});

test("what cannot be read is told with the name of the option", () => {
  expect(() => valueOf(FIELDS.tiles!, "2.5")).toThrow(/tiles: expected a whole number/);
  expect(() => valueOf(FIELDS.sizes!, "[")).toThrow(/sizes: expected JSON/);
});

test("a detector without options has no fields", () => {
  expect(fieldsOf({ type: "object", properties: {} })).toEqual([]);
  expect(fieldsOf(null)).toEqual([]);
});

test("an option that names an image is chosen among images, and may be left out", () => {
  const schema = {
    properties: {
      template: { anyOf: [{ type: "string", format: "image" }, { type: "null" }], default: null, title: "Template" },
      name: { type: "string", title: "Name" },
    },
  };
  expect(fieldsOf(schema).map(({ kind, optional }) => [kind, optional])).toEqual([
    ["image", true],
    ["text", false],
  ]);
});
