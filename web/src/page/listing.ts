/** Cases as a list shows them: what they are called, sorted and filtered. */

import type { Case } from "../service/cases";
import { type Detector, titleOf } from "../service/documents";
import { makerOf } from "./comparison";
import { spoken, t } from "./texts";

export type Column = "image" | "detector" | "state" | "when" | "found" | "flags" | "dice";

export interface Listed {
  readonly id: string;
  readonly one: Case;
  readonly image: string;
  readonly maker: string;
  readonly flags: readonly string[];
  /** What a filter looks in, in small letters. */
  readonly words: string;
}

export function listedOf(one: Case, detectors: readonly Detector[]): Listed {
  const image = one.series ? titleOf(one.series) : `${t("cases.removed")} (${one.image_id.slice(0, 8)})`;
  const maker = makerOf(one.detector, detectors);
  const flags = flagsOf(one);
  const names = one.summary ? [...one.summary.found, ...one.summary.missing] : [];
  const parts = [image, maker, one.detector, one.series?.modality ?? "", ...flags, ...names, ...names.map((name) => spoken(name))];
  return { id: one.id, one, image, maker, flags, words: parts.join("\n").toLowerCase() };
}

function flagsOf({ summary, error, state }: Case): string[] {
  if (state === "failed" && error) return [error.message];
  if (!summary) return [];
  const { cut, missing } = summary;
  return [
    ...(cut.length ? [t("cases.cut", { n: cut.length })] : []),
    ...(missing.length ? [t("cases.missing", { n: missing.length })] : []),
  ];
}

/** Whether a case has a state and all the words of a filter. */
export function matches({ one, words }: Listed, filter: string, state: string): boolean {
  if (state && one.state !== state) return false;
  return filter.toLowerCase().split(/\s+/).every((word) => words.includes(word));
}

/** By a column; what has no value there stands at the end, whichever way it goes. */
export function sorted(listed: readonly Listed[], by: Column, ascending: boolean): Listed[] {
  const sign = ascending ? 1 : -1;
  return [...listed].sort((one, other) => {
    const [a, b] = [keyOf(one, by), keyOf(other, by)];
    if (a === b) return one.id < other.id ? 1 : -1;
    if (a === undefined) return 1;
    if (b === undefined) return -1;
    const order = typeof a === "string" && typeof b === "string" ? a.localeCompare(b) : Number(a) - Number(b);
    return sign * order || (one.id < other.id ? 1 : -1);
  });
}

function keyOf({ one, image, maker, flags }: Listed, by: Column): string | number | undefined {
  const { state, created, summary, dice, f1 } = one;
  switch (by) {
    case "image":
      return image;
    case "detector":
      return maker;
    case "state":
      return state;
    case "when":
      return created;
    case "found":
      return summary?.things;
    case "flags":
      return flags.length;
    case "dice":
      return dice ?? f1 ?? undefined;
  }
}
