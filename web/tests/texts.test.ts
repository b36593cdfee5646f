import { describe, expect, it } from "vitest";
import { filled, languageOf, spoken, TEXTS } from "../src/page/texts";
import { inChinese } from "../src/page/words/anatomy";
import anatomy from "../../delineate/imaging/anatomy.csv?raw";

const tables = Object.values(
  import.meta.glob<string>("../src/page/words/*.ts", { query: "?raw", import: "default", eager: true }),
);

const names = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort();

describe("texts", () => {
  it.each(Object.entries(TEXTS))("%s is there in both languages, with the same values", (_, [english, chinese]) => {
    expect(english.trim()).not.toBe("");
    expect(chinese.trim()).not.toBe("");
    expect(names(chinese)).toEqual(names(english));
  });

  it("of one topic are not overwritten by another", () => {
    const keys = tables.flatMap((table) => [...table.matchAll(/^ {2}"([a-z]\w*\.[^"]+)":/gm)].map(([, key]) => key!));
    expect(new Set(keys).size).toBe(keys.length);
    expect(new Set(keys)).toEqual(new Set(Object.keys(TEXTS)));
  });

  it("have their values put in", () => {
    expect(filled("{at} of {count}", { at: 3, count: 12 })).toBe("3 of 12");
  });
});

const sources = Object.entries(
  import.meta.glob<string>(["../src/**/*.ts", "!../src/page/words/*.ts"], { query: "?raw", import: "default", eager: true }),
).map(([path, source]) => [path, source.replace(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, "")] as const);

/** As the service or the browser calls things. */
const NAMES = new Set(["Enter", "Arrow", "Error", "Feature", "cut by the field of view", "the browser has no room for edits"]);

describe("the page", () => {
  it.each(sources.filter(([path]) => path.includes("/page/") || path.includes("/editing/")))("takes its texts from the tables: %s", (_, source) => {
    const literals = [...source.matchAll(/"([^"\n]*)"|`([^`]*)`/g)].map(([, plain, template]) => plain ?? template!);
    const told = literals.filter((text) => /^[A-Z][a-z]+(?:[ .,:]|$)|[a-z]{3,} (?:the|of|is|a|to|in|for|not) /.test(text));
    expect(told.filter((text) => !NAMES.has(text))).toEqual([]);
  });

  it("uses every text", () => {
    const all = sources.map(([, source]) => source).join("\n");
    const built = [...all.matchAll(/`([a-z]+\.)\$\{/g)].map(([, prefix]) => prefix!);
    const unused = Object.keys(TEXTS).filter((key) => !all.includes(`"${key}"`) && !built.some((prefix) => key.startsWith(prefix)));
    expect(unused).toEqual([]);
  });
});

describe("the language", () => {
  it("is that of the address, then the one kept, then the browser's first that is known", () => {
    expect(languageOf("?lang=zh", "en", ["en-GB"])).toBe("zh");
    expect(languageOf("?lang=xx", "en", ["zh-CN"])).toBe("en");
    expect(languageOf("", null, ["de-DE", "zh-Hans-CN", "en"])).toBe("zh");
    expect(languageOf("", null, ["de"])).toBe("en");
  });
});

describe("anatomy", () => {
  it("is named in both languages, with its side", () => {
    expect(spoken("lung_left", "en")).toBe("Lung left");
    expect(spoken("lung_left", "zh")).toBe("左肺");
    expect(spoken("rib_right_4", "zh")).toBe("右侧第4肋");
    expect(spoken("heart_atrium_left", "zh")).toBe("左心房");
    expect(spoken("vertebrae_L3", "zh")).toBe("L3椎体");
    expect(spoken("small_moth", "zh")).toBe("Small moth");
  });

  it("is known in Chinese wherever the package's table knows it", () => {
    const unknown = anatomy
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => line.split(",")[0]!)
      .filter((name) => inChinese(name) === undefined);
    expect(unknown).toEqual([]);
  });
});
