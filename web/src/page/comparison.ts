/** Beside the list: another result on the same image, or a reference, and how the two differ. */

import { type Layer, layersOf } from "../imaging/layer";
import * as client from "../service/client";
import {
  type Case,
  comparable,
  type Compared,
  comparedAs,
  type Comparison,
  CORRECTION,
  REFERENCE,
} from "../service/cases";
import type { Delineation, Detector, Finding, Job } from "../service/documents";
import { COLOURS, Differences, type Mode, MODES, type Pair, type Together } from "./differences";
import { fill, h } from "./dom";
import { spoken, t, TAG } from "./texts";
import { ThingDifferences } from "./things";
import { differenceStepper, thingsTable } from "./thingspanel";
import type { Viewer } from "./viewer";

const TAKEN = ".nii,.gz,.nrrd,.mha,.mhd,.dcm,.zip,.json,.geojson";

/** What made a result, for people. */
export function makerOf(detector: string, detectors: readonly Detector[]): string {
  if (detector === REFERENCE) return t("cases.reference");
  if (detector === CORRECTION) return t("cases.correction");
  return detectors.find(({ id }) => id === detector)?.title ?? detector;
}

export function moment(time: string): string {
  return new Date(time).toLocaleString(TAG, { dateStyle: "medium", timeStyle: "short" });
}

export class ComparisonPanel {
  readonly element: HTMLElement;
  readonly #choice = h("select", { "data-testid": "compare-with", "aria-label": t("compare.with") });
  readonly #told = h("p", { class: "muted", role: "status", "data-testid": "compare-told" });
  readonly #body = h("div", {});
  #mode: Mode | undefined;
  #turn = 0;

  constructor(
    readonly viewer: Viewer,
    readonly job: Job,
    readonly result: Delineation,
    readonly detectors: readonly Detector[],
    /** Told which other result is compared with. */
    readonly chosen: (other: string | undefined) => void,
  ) {
    const file = h("input", { type: "file", accept: TAKEN, hidden: true, "data-testid": "reference-file" });
    file.addEventListener("change", () => {
      const [first] = file.files ?? [];
      file.value = "";
      if (first) void this.#send(first);
    });
    this.#choice.addEventListener("change", () => void this.choose(this.#choice.value || undefined));
    this.element = h(
      "section",
      { class: "comparison", "data-testid": "comparison" },
      h("h2", {}, t("compare.title")),
      h(
        "div",
        { class: "comparison-choice" },
        this.#choice,
        h(
          "button",
          { type: "button", title: t("compare.uploadAbout"), on: { click: () => file.click() } },
          t("compare.upload"),
        ),
        file,
      ),
      this.#told,
      this.#body,
    );
    fill(this.#choice, h("option", { value: "" }, t("compare.nothing")));
  }

  /** Offer the other results on the same series; one of them may be compared with at once. */
  async offer(other?: string): Promise<void> {
    const { cases } = await client.getCases({ limit: "200", image: this.job.image_id });
    const alike = (one: Case) => one.series?.id === this.job.series && comparable(one) === this.#as;
    const offered = cases.filter((one) => one.id !== this.job.id && alike(one));
    const references = offered.filter(({ detector }) => detector === REFERENCE);
    const others = offered.filter(({ detector }) => detector !== REFERENCE);
    fill(
      this.#choice,
      h("option", { value: "" }, t("compare.nothing")),
      ...[...references, ...others].map((one) => h("option", { value: one.id }, this.#called(one))),
      // An old one, beyond those that are listed.
      other && !offered.some(({ id }) => id === other) && h("option", { value: other }, other),
    );
    if (other) await this.choose(other);
  }

  /** Compare with another result, or with nothing any more; `within` as for `getComparison`. */
  async choose(other: string | undefined, within?: Readonly<Record<string, string>>): Promise<void> {
    const turn = ++this.#turn;
    this.#choice.value = other ?? "";
    this.viewer.compare(undefined);
    fill(this.#body);
    fill(this.#told, other && t("compare.measuring"));
    this.chosen(other);
    if (!other) return;
    try {
      const [result, comparison] = await Promise.all([
        client.getResult(other),
        client.getComparison(this.job.id, other, within),
      ]);
      if (turn !== this.#turn) return;
      fill(this.#told);
      this.#show(result.findings, comparison);
    } catch (error) {
      if (turn === this.#turn) fill(this.#told, error instanceof Error ? error.message : String(error));
    }
  }

  get #as() {
    return comparedAs(this.result.detector.gives);
  }

  #called({ detector, created }: Case): string {
    return `${makerOf(detector, this.detectors)}, ${moment(created)}`;
  }

  async #send(file: File): Promise<void> {
    fill(this.#told, t("compare.uploading"));
    try {
      const { id } = await client.sendReference(this.job.image_id, this.job.series, file, this.#as === "things");
      await this.offer(id);
    } catch (error) {
      fill(this.#told, error instanceof Error ? error.message : String(error));
    }
  }

  #show(theirs: readonly Finding[], comparison: Comparison): void {
    const { inverse } = this.viewer.volume;
    const { things, structures, notes, reference } = comparison;
    if (things) {
      const differences = new ThingDifferences(this.result.findings, theirs, inverse, things);
      const again = (least: number) => void this.choose(reference, { [things.by]: String(least) });
      const stepper = differenceStepper(differences, ({ place }) => this.viewer.reveal(place));
      this.#draw(differences, "differences", stepper, thingsTable(things, again));
    } else {
      const pairs = pairsOf(structures, this.viewer.layers, layersOf(theirs, inverse));
      const remarks = notes.map((note) => h("p", { class: "note" }, note));
      this.#draw(new Differences(pairs), "both", table(comparison), ...remarks);
    }
  }

  /** Draw two together, at first in a mode unless another was chosen before. */
  #draw(differences: Together, first: Mode, ...told: (HTMLElement | undefined)[]): void {
    const legend = h("ul", { class: "comparison-legend" });
    const buttons = MODES.map((mode) => {
      const click = () => set(mode);
      return h("button", { type: "button", "data-testid": `compare-${mode}`, on: { click } }, t(`compare.${mode}`));
    });
    const set = (mode: Mode) => {
      differences.mode = this.#mode = mode;
      buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(MODES[i] === mode)));
      fill(legend, ...(mode === "differences" ? coloured() : lined()));
      this.viewer.store.tell();
    };
    fill(
      this.#body,
      h("div", { class: "segments", role: "group", "aria-label": t("compare.show") }, ...buttons),
      legend,
      ...told,
    );
    this.viewer.compare(differences);
    set(this.#mode ?? first);
  }
}

/** Layers of both results that are one structure, as the service has matched them. */
export function pairsOf(
  structures: readonly Pick<Compared, "reference" | "prediction">[],
  ours: readonly Layer[],
  theirs: readonly Layer[],
): Pair[] {
  const named = (layers: readonly Layer[], name: string | null) => layers.find((layer) => layer.name === name);
  return structures.flatMap(({ reference, prediction }) => {
    const pair = { ours: named(ours, prediction), theirs: named(theirs, reference) };
    return pair.ours || pair.theirs ? [pair] : [];
  });
}

function table({ structures, dice }: Comparison): HTMLElement {
  const there = structures.filter(({ note }) => note !== "absent");
  const [first] = there;
  const { unit, unit_of_length } = first ?? { unit: "ml", unit_of_length: "mm" };
  const heads: readonly (readonly [string, string?])[] = [
    [t("compare.structure")],
    [t("compare.dice")],
    [t("compare.added", { unit }), t("compare.addedAbout")],
    [t("compare.removed", { unit }), t("compare.removedAbout")],
    [t("compare.distance", { unit: unit_of_length }), t("compare.distanceAbout")],
  ];
  return h(
    "table",
    { class: "comparison-table", "data-testid": "comparison-table", "aria-label": t("compare.table") },
    h("caption", {}, t("compare.mean", { dice: figure(dice, 3) })),
    h("thead", {}, h("tr", {}, ...heads.map(([head, title]) => h("th", { scope: "col", title }, head)))),
    h(
      "tbody",
      {},
      ...there.map((one) => {
        const name = (one.prediction ?? one.reference)!;
        return h(
          "tr",
          { "data-name": name, "data-note": one.note },
          h(
            "th",
            { scope: "row" },
            spoken(name),
            one.note !== "" && h("span", { class: "note" }, t(one.note === "missed" ? "compare.missed" : "compare.invented")),
          ),
          h("td", {}, figure(one.dice, 3)),
          h("td", {}, figure(one.added, 1)),
          h("td", {}, figure(one.removed, 1)),
          h("td", {}, figure(one.hd, 1)),
        );
      }),
    ),
  );
}

export function figure(value: number | null, digits: number): string {
  return value === null ? "–" : value.toFixed(digits);
}

function lined(): HTMLElement[] {
  return (["solid", "dashed"] as const).map((kind) =>
    h("li", {}, h("span", { class: `sample ${kind}` }), t(`compare.${kind}`)),
  );
}

function coloured(): HTMLElement[] {
  return (Object.keys(COLOURS) as (keyof typeof COLOURS)[]).map((kind) => {
    const sample = h("span", { class: "sample" });
    sample.style.setProperty("--colour", COLOURS[kind]);
    return h("li", {}, sample, t(`compare.${kind}`));
  });
}
