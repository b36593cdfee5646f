/** Editing of contours: brush and lasso on label maps. */

import type { Viewer } from "../page/viewer";
import type { Delineation, Job } from "../service/documents";
import type { Draft } from "./drafts";
import * as drafts from "./drafts";
import { Editor } from "./editor";
import type { Structure } from "./history";
import { packed } from "./nrrd";
import { EditPanel } from "./panel";
import { type Deeds, type Letters, Session, type Work } from "./session";
import { Surface } from "./surface";

/**
 * Edit the contours of a result; false where its structures overlap.
 *
 * With a draft, go on where it was left.
 */
export async function editContours(viewer: Viewer, job: Job, result: Delineation, leave: AbortSignal, draft?: Draft): Promise<boolean> {
  const editor = Editor.of(result.findings, viewer.volume, viewer.volume.inverse);
  if (!editor) return false;
  if (draft) editor.resume(draft.structures, await drafts.load(job.id));
  if (!leave.aborted) new Session(viewer, job, (deeds, signal) => new Contours(viewer, job, editor, deeds, signal), leave);
  return true;
}

class Contours implements Work {
  readonly panel: EditPanel;
  readonly #surfaces: readonly Surface[];
  #kept: readonly Structure[];
  #unkept = new Set<number>();

  constructor(
    readonly viewer: Viewer,
    readonly job: Job,
    readonly editor: Editor,
    deeds: Deeds,
    signal: AbortSignal,
  ) {
    this.#kept = editor.structures;
    editor.touched.clear();
    const large = () => viewer.store.value.main;
    this.panel = new EditPanel(
      editor,
      {
        ...deeds,
        holes: () => editor.fillHoles({ ...viewer.panes[large()]!.plane, at: viewer.store.value.at[large()] }),
        interpolate: () => this.#interpolate(),
      },
      () => viewer.store.value.at[0],
    );
    this.#surfaces = viewer.panes.map((pane) => new Surface(pane, editor, signal));
    this.panel.onTool = () => this.redraw();
  }

  redraw(): void {
    for (const surface of this.#surfaces) surface.draw();
  }

  async keep(): Promise<boolean> {
    const { editor, job } = this;
    for (const slice of editor.touched) this.#unkept.add(slice);
    editor.touched.clear();
    if (!this.#unkept.size && this.#kept === editor.structures) return false;
    const [slices, structures] = [this.#unkept, editor.structures];
    this.#unkept = new Set();
    this.#kept = structures;
    const samples = new Map(Array.from(slices, (index) => [index, editor.labels.slice(index).slice()]));
    await drafts.keep({ job: job.id, when: Date.now(), structures }, samples);
    return true;
  }

  async pack(): Promise<File> {
    const { viewer, editor } = this;
    return new File([await packed(viewer.volume, editor.labels.data, editor.structures)], "labels.seg.nrrd");
  }

  #interpolate(): void {
    const slices = this.editor.around(this.viewer.store.value.at[0]);
    if (slices) this.editor.interpolate(slices);
  }

  readonly letters: Letters = {
    q: () => this.panel.choose("none"),
    b: () => this.panel.choose("brush"),
    e: () => this.panel.choose("eraser"),
    d: () => this.panel.choose("add"),
    k: () => this.panel.choose("cut"),
    "[": () => this.panel.resize(-4),
    "]": () => this.panel.resize(4),
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
