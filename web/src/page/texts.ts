/** Every text of the page, in English and Chinese; what the service tells stays as it is told. */

import { inChinese } from "./words/anatomy";
import { CASES } from "./words/cases";
import { COMPARISON } from "./words/comparison";
import { EDITING } from "./words/editing";
import { FRAME } from "./words/frame";
import { SOLID } from "./words/solid";
import { TOOLS } from "./words/tools";
import { VIEW } from "./words/view";

export type Language = "en" | "zh";

/** Texts by key, `[English, Chinese]`; a topic has a file of its own in `words/`. */
export const TEXTS = { ...FRAME, ...VIEW, ...TOOLS, ...SOLID, ...COMPARISON, ...CASES, ...EDITING } as const;

export type Key = keyof typeof TEXTS;

const KEPT = "delineate.language";

/** The address decides, then what was chosen before, then what the browser asks for. */
export function languageOf(search: string, kept: string | null, asked: readonly string[]): Language {
  const wanted = [new URLSearchParams(search).get("lang"), kept, ...asked];
  for (const each of wanted) {
    const [language] = (each ?? "").toLowerCase().split("-");
    if (language === "en" || language === "zh") return language;
  }
  return "en";
}

export const LANGUAGE: Language =
  typeof window === "undefined"
    ? "en"
    : languageOf(location.search, localStorage.getItem(KEPT), navigator.languages);

/** As HTML has it. */
export const TAG = LANGUAGE === "zh" ? "zh-Hans" : "en";

/** Load the page again in a language, and keep to it from then on. */
export function speak(language: Language): void {
  localStorage.setItem(KEPT, language);
  const search = new URLSearchParams(location.search);
  search.delete("lang");
  const rest = search.size ? `?${search}` : "";
  history.replaceState(null, "", location.pathname + rest + location.hash);
  location.reload();
}

/** A text, with `{name}` replaced by the value of that name. */
export function t(key: Key, values: Readonly<Record<string, string | number>> = {}): string {
  return filled(TEXTS[key][LANGUAGE === "zh" ? 1 : 0], values);
}

export function filled(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""));
}

/** A category's name as people write it: `lung_left` is "Lung left"; known anatomy in Chinese. */
export function spoken(name: string, language: Language = LANGUAGE): string {
  const chinese = language === "zh" ? inChinese(name) : undefined;
  if (chinese) return chinese;
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
