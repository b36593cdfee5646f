/** One editing of a result: from the first deed to the new version, or to where it is taken up again. */

import type { Layer } from "../imaging/layer";
import { announce } from "../page/announce";
import { writeAddress } from "../page/address";
import { fill } from "../page/dom";
import { t } from "../page/texts";
import type { Viewer } from "../page/viewer";
import * as client from "../service/client";
import { ended, type Job } from "../service/documents";
import * as drafts from "./drafts";
import { guard } from "./guard";

/** Edits are kept in the browser so long after the last of them. */
const KEEP_AFTER_MS = 400;

/** What is edited, as far as every kind of editing has it. */
export interface Editable {
  /** Whether there is anything to keep. */
  readonly edited: boolean;
  readonly layers: readonly Layer[];
  /** Axis of the plane in which a stroke is under way. */
  readonly stroke?: number | undefined;
  listen(listener: () => void): void;
  undo(): void;
  redo(): void;
}

/** The column beside the planes while something is edited. */
export interface Panel {
  readonly element: HTMLElement;
  tell(text: string, wrong?: boolean): void;
  draw(): void;
}

/** What a panel's buttons do to the session. */
export interface Deeds {
  readonly save: (comment: string) => Promise<void>;
  readonly close: () => void;
}

/** An answer of false leaves the key to others. */
export type Letters = Readonly<Record<string, (event: KeyboardEvent) => unknown>>;

/** One kind of editing: of contours, or of things. */
export interface Work {
  readonly editor: Editable;
  readonly panel: Panel;
  readonly letters: Letters;
  /** Draw what lies over the planes. */
  redraw(): void;
  /** Keep in the browser what has changed since that was done last; false where nothing has. */
  keep(): Promise<boolean>;
  /** The file that the service makes a version of. */
  pack(): Promise<File>;
}

export class Session {
  readonly #work: Work;
  readonly #over = new AbortController();
  /** What the column beside the planes held before. */
  readonly #before: readonly Node[];
  #keeping: ReturnType<typeof setTimeout> | undefined;
  #dropped = false;

  constructor(
    readonly viewer: Viewer,
    readonly job: Job,
    begin: (deeds: Deeds, signal: AbortSignal) => Work,
    leave: AbortSignal,
  ) {
    const { signal } = this.#over;
    leave.addEventListener("abort", () => this.#stop(), { signal });
    const deeds = { save: (comment: string) => this.#save(comment), close: () => void this.#close() };
    const work = (this.#work = begin(deeds, signal));
    this.#before = [...viewer.aside.childNodes];
    fill(viewer.aside, work.panel.element);
    document.body.dataset.editing = "";
    const { slab } = viewer.store.value;
    viewer.compare(undefined);
    viewer.store.update({ slab: { ...slab, projection: "none" }, outline: true });
    work.editor.listen(() => this.#changed());
    viewer.store.listen(() => {
      if (signal.aborted) return;
      work.redraw();
      work.panel.draw();
    });
    window.addEventListener("keydown", (event) => this.#key(event), { capture: true, signal });
    document.addEventListener("visibilitychange", () => void this.#keep(), { signal });
    guard(() => work.editor.edited && !this.#dropped, signal);
    this.#changed();
  }

  #changed(): void {
    const { editor } = this.#work;
    const layers = editor.layers;
    // While a stroke is under way its own plane is drawn anew, the others after it.
    for (const pane of this.viewer.panes) if ((editor.stroke ?? pane.axis) === pane.axis) pane.layers = layers;
    this.viewer.store.tell();
    clearTimeout(this.#keeping);
    this.#keeping = setTimeout(() => void this.#keep(), KEEP_AFTER_MS);
  }

  async #keep(): Promise<void> {
    clearTimeout(this.#keeping);
    if (this.#dropped) return;
    const { panel } = this.#work;
    try {
      if (await this.#work.keep()) panel.element.dataset.kept = String(Date.now());
    } catch {
      panel.tell(t("edit.unkept"), true);
    }
  }

  async #save(comment: string): Promise<void> {
    const { viewer, job } = this;
    const { panel } = this.#work;
    try {
      panel.tell(t("edit.packing"));
      const file = await this.#work.pack();
      panel.tell(t("edit.sending"));
      const made = await client.correct(job.id, file, comment);
      panel.tell(t("edit.making"));
      const last = ended(made) ? made : await this.#ended(made);
      if (last.state !== "done") throw new Error(last.error?.message ?? t("edit.state.cancelled"));
      this.#dropped = true;
      await drafts.drop(job.id).catch(() => undefined);
      announce(() => t("edit.save"));
      location.hash = writeAddress({ job: last.id, shown: viewer.changed });
    } catch (error) {
      panel.tell(t("edit.failed", { why: error instanceof Error ? error.message : String(error) }), true);
    }
  }

  #ended(job: Job): Promise<Job> {
    return new Promise((resolve, reject) => {
      const stop = client.followJob(job.id, (heard) => ended(heard) && resolve(heard), reject);
      this.#over.signal.addEventListener("abort", stop);
    });
  }

  /** Back to looking; edits stay in the browser and are offered again. */
  async #close(): Promise<void> {
    await this.#keep();
    this.#stop();
    const { viewer } = this;
    for (const pane of viewer.panes) pane.layers = viewer.layers;
    fill(viewer.aside, ...this.#before);
    viewer.store.tell();
    viewer.aside.dispatchEvent(new CustomEvent("edited"));
  }

  #stop(): void {
    void this.#keep();
    this.#over.abort();
    delete document.body.dataset.editing;
  }

  #key(event: KeyboardEvent): void {
    const { target } = event;
    const entering = target instanceof HTMLTextAreaElement || (target instanceof HTMLInputElement && target.type === "text");
    if (entering || document.querySelector("dialog[open]")) return;
    const commanded = event.ctrlKey || event.metaKey;
    const action = commanded ? this.#commands[event.key.toLowerCase()] : this.#work.letters[event.key];
    if (event.altKey || !action || action(event) === false) return;
    event.preventDefault();
    event.stopPropagation();
  }

  readonly #commands: Letters = {
    z: ({ shiftKey }) => (shiftKey ? this.#work.editor.redo() : this.#work.editor.undo()),
    y: () => this.#work.editor.redo(),
  };
}
