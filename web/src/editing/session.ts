/** One editing of a result: from the first stroke to the new version, or to where it is taken up again. */

import { announce } from "../page/announce";
import { writeAddress } from "../page/address";
import { fill } from "../page/dom";
import { t } from "../page/texts";
import type { Viewer } from "../page/viewer";
import * as client from "../service/client";
import type { Delineation, Job } from "../service/documents";
import { ended } from "../service/documents";
import type { Draft } from "./drafts";
import * as drafts from "./drafts";
import { Editor } from "./editor";
import { guard } from "./guard";
import type { Structure } from "./history";
import { packed } from "./nrrd";
import { EditPanel } from "./panel";
import { Surface } from "./surface";

/** Edits are kept in the browser so long after the last of them. */
const KEEP_AFTER_MS = 400;

/**
 * Edit the contours of a result; false where its structures overlap.
 *
 * With a draft, go on where it was left.
 */
export async function edit(viewer: Viewer, job: Job, result: Delineation, leave: AbortSignal, draft?: Draft): Promise<boolean> {
  const editor = Editor.of(result.findings, viewer.volume, viewer.volume.inverse);
  if (!editor) return false;
  if (draft) editor.resume(draft.structures, await drafts.load(job.id));
  if (!leave.aborted) new Session(viewer, job, editor, leave);
  return true;
}

class Session {
  readonly #over = new AbortController();
  readonly #panel: EditPanel;
  readonly #surfaces: readonly Surface[];
  /** What the column beside the planes held before. */
  readonly #before: readonly Node[];
  #keeping: ReturnType<typeof setTimeout> | undefined;
  #kept: readonly Structure[];
  #unkept = new Set<number>();
  #dropped = false;

  constructor(
    readonly viewer: Viewer,
    readonly job: Job,
    readonly editor: Editor,
    leave: AbortSignal,
  ) {
    const { signal } = this.#over;
    leave.addEventListener("abort", () => this.#stop(), { signal });
    this.#kept = editor.structures;
    editor.touched.clear();
    const large = () => viewer.store.value.main;
    this.#panel = new EditPanel(
      editor,
      {
        holes: () => editor.fillHoles({ ...viewer.panes[large()]!.plane, at: viewer.store.value.at[large()] }),
        interpolate: () => this.#interpolate(),
        save: (comment) => this.#save(comment),
        close: () => this.#close(),
      },
      () => viewer.store.value.at[0],
    );
    this.#surfaces = viewer.panes.map((pane) => new Surface(pane, editor, signal));
    this.#panel.onTool = () => this.#redraw();
    this.#before = [...viewer.aside.childNodes];
    fill(viewer.aside, this.#panel.element);
    document.body.dataset.editing = "";
    const { slab } = viewer.store.value;
    viewer.compare(undefined);
    viewer.store.update({ slab: { ...slab, projection: "none" }, outline: true });
    editor.listen(() => this.#changed());
    viewer.store.listen(() => {
      if (signal.aborted) return;
      this.#redraw();
      this.#panel.draw();
    });
    window.addEventListener("keydown", (event) => this.#key(event), { capture: true, signal });
    document.addEventListener("visibilitychange", () => void this.#keep(), { signal });
    guard(() => editor.edited && !this.#dropped, signal);
    this.#changed();
  }

  #redraw(): void {
    for (const surface of this.#surfaces) surface.draw();
  }

  #changed(): void {
    const { editor, viewer } = this;
    const layers = editor.layers;
    // While a stroke is under way its own plane is drawn anew, the others after it.
    for (const pane of viewer.panes) if ((editor.stroke ?? pane.axis) === pane.axis) pane.layers = layers;
    viewer.store.tell();
    for (const slice of editor.touched) this.#unkept.add(slice);
    editor.touched.clear();
    if (!this.#unkept.size && this.#kept === editor.structures) return;
    clearTimeout(this.#keeping);
    this.#keeping = setTimeout(() => void this.#keep(), KEEP_AFTER_MS);
  }

  /** Keep in the browser what has changed since that was done last. */
  async #keep(): Promise<void> {
    const { editor, job } = this;
    clearTimeout(this.#keeping);
    if (this.#dropped || (!this.#unkept.size && this.#kept === editor.structures)) return;
    const [slices, structures] = [this.#unkept, editor.structures];
    this.#unkept = new Set();
    this.#kept = structures;
    const samples = new Map(Array.from(slices, (index) => [index, editor.labels.slice(index).slice()]));
    try {
      await drafts.keep({ job: job.id, when: Date.now(), structures }, samples);
      this.#panel.element.dataset.kept = String(Date.now());
    } catch {
      this.#panel.tell(t("edit.unkept"), true);
    }
  }

  #interpolate(): void {
    const slices = this.editor.around(this.viewer.store.value.at[0]);
    if (slices) this.editor.interpolate(slices);
  }

  async #save(comment: string): Promise<void> {
    const { editor, viewer, job } = this;
    try {
      this.#panel.tell(t("edit.packing"));
      const labels = await packed(viewer.volume, editor.labels.data, editor.structures);
      this.#panel.tell(t("edit.sending"));
      const made = await client.correct(job.id, labels, comment);
      this.#panel.tell(t("edit.making"));
      const last = ended(made) ? made : await this.#ended(made);
      if (last.state !== "done") throw new Error(last.error?.message ?? t("edit.state.cancelled"));
      this.#dropped = true;
      await drafts.drop(job.id).catch(() => undefined);
      announce(() => t("edit.save"));
      location.hash = writeAddress({ job: last.id, shown: viewer.changed });
    } catch (error) {
      this.#panel.tell(t("edit.failed", { why: error instanceof Error ? error.message : String(error) }), true);
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
    const action = event.ctrlKey || event.metaKey ? this.#commands[event.key.toLowerCase()] : this.#letters[event.key];
    if (event.altKey || !action || action(event) === false) return;
    event.preventDefault();
    event.stopPropagation();
  }

  readonly #commands: Readonly<Record<string, (event: KeyboardEvent) => unknown>> = {
    z: ({ shiftKey }) => (shiftKey ? this.editor.redo() : this.editor.undo()),
    y: () => this.editor.redo(),
  };

  /** An answer of false leaves the key to others. */
  readonly #letters: Readonly<Record<string, (event: KeyboardEvent) => unknown>> = {
    q: () => this.#panel.choose("none"),
    b: () => this.#panel.choose("brush"),
    e: () => this.#panel.choose("eraser"),
    d: () => this.#panel.choose("add"),
    k: () => this.#panel.choose("cut"),
    "[": () => this.#panel.resize(-4),
    "]": () => this.#panel.resize(4),
    Enter: () => this.#surfaces.some((surface) => surface.close()),
    Escape: () => this.#surfaces.map((surface) => surface.drop()).some(Boolean),
    " ": ({ target }) => target instanceof HTMLCanvasElement && this.#stamp(),
  };

  /** Use the brush at the crosshair, for those who have no mouse. */
  #stamp(): boolean {
    const { editor, viewer } = this;
    const { at, main } = viewer.store.value;
    if (editor.tool !== "brush" && editor.tool !== "eraser") return false;
    editor.begin(editor.tool === "eraser");
    editor.brush(at, at, main);
    editor.end(main === 0 ? at[0] : undefined);
    return true;
  }
}
