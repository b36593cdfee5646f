/** All results as a table: sorted, filtered, opened, two of them compared. */

import * as client from "../service/client";
import type { Case } from "../service/cases";
import { comparable } from "../service/cases";
import { type Detector, ended, type JobState, sizeOf } from "../service/documents";
import { figure, moment } from "./comparison";
import { fill, h } from "./dom";
import { type Column, type Listed, listedOf, matches, sorted } from "./listing";
import { spoken, t } from "./texts";

const PAGE = "200";
const AGAIN_MS = 4000;
const QUIET_TURNS = 8;
const NAMES = 3;
const COLUMNS: readonly Column[] = ["image", "detector", "state", "when", "found", "flags", "dice"];
const STATES: readonly JobState[] = ["done", "running", "queued", "failed", "cancelled"];

interface Row {
  readonly element: HTMLElement;
  readonly tick: HTMLInputElement;
  readonly dice: HTMLElement;
  listed: Listed;
}

export class CasesPage {
  readonly element: HTMLElement;
  readonly #rows = new Map<string, Row>();
  readonly #body = h("tbody", {});
  readonly #heads = new Map<Column, HTMLElement>();
  readonly #filter = h("input", { type: "search", placeholder: t("cases.filter"), "aria-label": t("cases.filterAbout"), "data-testid": "cases-filter" });
  readonly #state = h(
    "select",
    { "aria-label": t("cases.state"), "data-testid": "cases-state" },
    h("option", { value: "" }, t("cases.all")),
    ...STATES.map((state) => h("option", { value: state }, t(`state.${state}`))),
  );
  readonly #count = h("output", { class: "muted", role: "status", "data-testid": "cases-count" }, t("cases.loading"));
  readonly #compare = h("button", { type: "button", disabled: true, title: t("cases.compareAbout"), "data-testid": "cases-compare" }, t("cases.compare"));
  readonly #visible: IntersectionObserver;
  readonly #wanted: string[] = [];
  #measuring = false;
  #turns = 0;
  #by: Column = "when";
  #ascending = false;

  constructor(
    /** As far as they are known: others are called by their ids. */
    private detectors: readonly Detector[],
    readonly open: (hash: string) => void,
    readonly leave: AbortSignal,
  ) {
    for (const input of [this.#filter, this.#state]) input.addEventListener("input", () => this.#arrange());
    this.#compare.addEventListener("click", () => {
      const [newer, older] = this.#ticked();
      if (newer && older) this.open(`#job=${newer.id}&against=${older.id}`);
    });
    this.#body.addEventListener("keydown", (event) => this.#key(event));
    this.#visible = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) this.#want((target as HTMLElement).dataset.id!);
      }
    });
    leave.addEventListener("abort", () => this.#visible.disconnect());
    this.element = h(
      "main",
      { class: "cases" },
      h(
        "div",
        { class: "cases-head" },
        h("h1", {}, t("cases.title")),
        this.#filter,
        this.#state,
        this.#count,
        h("span", { class: "space" }),
        this.#compare,
      ),
      h(
        "table",
        { "data-testid": "cases", "aria-label": t("cases.table") },
        h("thead", {}, h("tr", {}, blank(t("cases.chosen")), blank(t("cases.picture")), ...COLUMNS.map((column) => this.#head(column)))),
        this.#body,
      ),
    );
  }

  /** Fetch all, a page at a time, and come back to those that have not ended. */
  async load(): Promise<void> {
    for (let after: string | null | undefined; after !== null; ) {
      const page: Awaited<ReturnType<typeof client.getCases>> = await client.getCases({ limit: PAGE, ...(after && { after }) });
      if (this.leave.aborted) return;
      this.#take(page.cases);
      after = page.next;
    }
    if (!this.#rows.size) fill(this.#count, t("cases.none"));
    const timer = setInterval(() => void this.#again(), AGAIN_MS);
    this.leave.addEventListener("abort", () => clearInterval(timer));
  }

  /** Call detectors by their titles. */
  know(detectors: readonly Detector[]): void {
    this.detectors = detectors;
    this.#take(Array.from(this.#rows.values(), ({ listed }) => listed.one));
  }

  /** Often while something is under way, else now and then. */
  async #again(): Promise<void> {
    const open = Array.from(this.#rows.values(), ({ listed }) => listed.one).some((one) => !ended(one));
    this.#turns += 1;
    if (document.hidden || (!open && this.#turns % QUIET_TURNS)) return;
    const page = await client.getCases({ limit: PAGE }).catch(() => undefined);
    if (page && !this.leave.aborted) this.#take(page.cases);
  }

  #take(cases: readonly Case[]): void {
    let changed = false;
    const refocus = this.#focused();
    for (const one of cases) {
      const listed = listedOf(one, this.detectors);
      const known = this.#rows.get(one.id);
      if (known && JSON.stringify(known.listed) === JSON.stringify(listed)) continue;
      const row = this.#row(listed);
      row.tick.checked = known?.tick.checked ?? false;
      known?.element.replaceWith(row.element);
      this.#rows.set(one.id, row);
      changed = true;
    }
    if (!changed) return;
    this.#arrange();
    refocus();
  }

  /** How to give the keyboard back to the row that has it: rows that are put anew lose it. */
  #focused(): () => void {
    const holder = document.activeElement;
    const id = this.#body.contains(holder) && holder?.closest<HTMLElement>("tr")?.dataset.id;
    if (!id) return () => undefined;
    const tag = holder instanceof HTMLInputElement ? "input" : "a";
    return () => this.#rows.get(id)?.element.querySelector<HTMLElement>(tag)?.focus({ preventScroll: true });
  }

  #arrange(): void {
    const rows = [...this.#rows.values()];
    const shown = rows.filter(({ listed }) => matches(listed, this.#filter.value, this.#state.value));
    const order = new Map(sorted(shown.map(({ listed }) => listed), this.#by, this.#ascending).map(({ id }, i) => [id, i]));
    shown.sort((one, other) => order.get(one.listed.id)! - order.get(other.listed.id)!);
    fill(this.#body, ...shown.map(({ element }) => element));
    fill(this.#count, t("cases.count", { n: shown.length, count: rows.length }));
    for (const [column, head] of this.#heads) {
      head.setAttribute("aria-sort", column !== this.#by ? "none" : this.#ascending ? "ascending" : "descending");
    }
    this.#choose();
  }

  #head(column: Column): HTMLElement {
    const sort = () => {
      this.#ascending = this.#by === column ? !this.#ascending : column !== "when" && column !== "found";
      this.#by = column;
      this.#arrange();
    };
    const title = column === "dice" ? t("cases.diceAbout") : undefined;
    const button = h("button", { type: "button", class: "quiet", title, "data-testid": `sort-${column}`, on: { click: sort } }, t(`cases.${column}`));
    const head = h("th", { scope: "col" }, button);
    this.#heads.set(column, head);
    return head;
  }

  #row(listed: Listed): Row {
    const { one, image, maker, flags } = listed;
    const { id, series, summary, state, progress, error } = one;
    const dice = one.dice ?? one.f1;
    const size = series && [series.modality, sizeOf(series.shape)].join(", ");
    const tick = h("input", {
      type: "checkbox",
      disabled: !comparable(one),
      "aria-label": t("cases.tick", { name: `${image}, ${maker}` }),
      on: { change: () => this.#choose() },
    });
    const percent = state === "running" ? ` ${Math.round(100 * progress)} %` : "";
    const found = summary?.found.map((name) => spoken(name)) ?? [];
    const more = found.length > NAMES ? ` +${found.length - NAMES}` : "";
    const cell = h("td", { class: "number", "data-testid": "dice" }, dice === null ? "" : figure(dice, 3));
    const address = client.thumbnailAddress(id);
    const gone = (event: Event) => (event.target as HTMLElement).remove(); // older results have none
    const picture =
      state === "done" && h("img", { src: address, alt: "", loading: "lazy", width: 64, height: 64, on: { error: gone } });
    const element = h(
      "tr",
      { "data-testid": "case", "data-id": id, "data-state": state },
      h("td", {}, tick),
      h("td", { class: "picture" }, picture),
      h("th", { scope: "row" }, h("a", { href: `#job=${id}`, translate: "no" }, image), size && h("span", { class: "muted" }, size)),
      h("td", { translate: "no" }, maker),
      h("td", { title: error?.message }, h("span", { class: `state ${state}` }, t(`state.${state}`), percent)),
      h("td", { class: "time" }, moment(one.created)),
      h("td", { title: found.join(", ") }, found.slice(0, NAMES).join(", ") + more),
      h("td", {}, ...flags.map((flag) => h("span", { class: "note" }, flag))),
      cell,
    );
    if (one.reference && dice === null) this.#visible.observe(element);
    return { element, tick, dice: cell, listed };
  }

  #ticked(): readonly Case[] {
    const ticked = [...this.#rows.values()].filter(({ tick }) => tick.checked).map(({ listed }) => listed.one);
    const [one, other, ...rest] = ticked.sort((a, b) => (a.id < b.id ? 1 : -1));
    const together =
      one && other && !rest.length && one.image_id === other.image_id && one.series?.id === other.series?.id && comparable(one) === comparable(other);
    return together ? [one, other] : [];
  }

  #choose(): void {
    this.#compare.disabled = this.#ticked().length !== 2;
  }

  /** Have a case measured against its reference, one after the other. */
  #want(id: string): void {
    this.#visible.unobserve(this.#rows.get(id)!.element);
    this.#wanted.push(id);
    if (!this.#measuring) void this.#measure();
  }

  async #measure(): Promise<void> {
    this.#measuring = true;
    for (let id = this.#wanted.shift(); id && !this.leave.aborted; id = this.#wanted.shift()) {
      const row = this.#rows.get(id)!;
      fill(row.dice, "…");
      const told = await client.getComparison(id, row.listed.one.reference!).catch(() => undefined);
      const [dice, f1] = [told?.dice ?? null, told?.things?.all.f1 ?? null];
      row.listed = { ...row.listed, one: { ...row.listed.one, dice, f1 } };
      fill(row.dice, figure(dice ?? f1, 3));
    }
    this.#measuring = false;
  }

  #key(event: KeyboardEvent): void {
    const row = (event.target as HTMLElement).closest<HTMLElement>("tr");
    if (!row) return;
    const step = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling }[event.key];
    if (step) step.querySelector("a")?.focus();
    else if (event.key === " " && event.target instanceof HTMLAnchorElement) {
      row.querySelector<HTMLInputElement>("input:not(:disabled)")?.click();
    } else if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
  }
}

function blank(label: string): HTMLElement {
  return h("th", { scope: "col" }, h("span", { class: "unseen" }, label));
}
