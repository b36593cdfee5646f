/** What the service tells of cases and of how two results differ; docs/rest.md has it in words. */

import type { JobState } from "./documents";

/** One structure of two results; what one of them lacks is null. */
export interface Compared {
  readonly reference: string | null;
  readonly prediction: string | null;
  readonly note: "" | "missed" | "invented" | "absent";
  readonly dice: number | null;
  readonly hd: number | null;
  readonly added: number;
  readonly removed: number;
  readonly unit: string;
  readonly unit_of_length: string;
}

/** How many things two results have in common. */
export interface ThingFigures {
  readonly name: string;
  readonly prediction: number;
  readonly reference: number;
  readonly hits: number;
  readonly precision: number | null;
  readonly recall: number | null;
  readonly f1: number | null;
}

/** What was found one by one in two results, as far as it is the same. */
export interface Things {
  readonly by: "iou" | "distance";
  readonly least: number;
  readonly unit: string;
  /** Ids of findings: in this result, in the other. */
  readonly pairs: readonly (readonly [number, number])[];
  readonly categories: readonly ThingFigures[];
  readonly all: ThingFigures;
}

export interface Comparison {
  readonly reference: string;
  readonly prediction: string;
  /** Mean over the reference's structures. */
  readonly dice: number | null;
  readonly structures: readonly Compared[];
  readonly notes: readonly string[];
  readonly things: Things | null;
}

export interface Summary {
  readonly gives: string;
  readonly found: readonly string[];
  readonly missing: readonly string[];
  readonly cut: readonly string[];
  readonly things: number;
  readonly notes: readonly string[];
  readonly overall: Readonly<Record<string, number>>;
}

/** The series that a case is about. */
export interface Subject {
  readonly id: string;
  readonly description: string;
  readonly modality: string;
  readonly slices: number;
  readonly shape: readonly number[];
  readonly unit: string;
  readonly files: readonly string[];
}

/** A job and what came of it. */
export interface Case {
  readonly id: string;
  readonly state: JobState;
  readonly progress: number;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly detector: string;
  readonly image_id: string;
  readonly created: string;
  readonly finished: string | null;
  readonly series: Subject | null;
  readonly summary: Summary | null;
  readonly reference: string | null;
  readonly dice: number | null;
  /** In place of Dice where things were found. */
  readonly f1: number | null;
}

/** What stands in place of a detector's id where a person drew or sent the result. */
export const REFERENCE = "reference";
export const CORRECTION = "correction";

export type Compares = "areas" | "things";
const COMPARED: Readonly<Record<string, Compares>> = { labelmap: "areas", masks: "areas", instances: "things" };

/** As what a kind of result is compared; nothing: not at all. */
export function comparedAs(gives: string): Compares | undefined {
  return COMPARED[gives];
}

/** As what a case is compared, if it can be. */
export function comparable({ state, summary }: Case): Compares | undefined {
  return state === "done" && summary ? comparedAs(summary.gives) : undefined;
}
