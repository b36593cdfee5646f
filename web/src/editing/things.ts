/** Editing of things: points and boxes added, taken away, called otherwise. */

import type { Viewer } from "../page/viewer";
import * as client from "../service/client";
import type { Delineation, Job } from "../service/documents";
import type { Draft } from "./drafts";
import * as drafts from "./drafts";
import { type Deeds, type Letters, Session, type Work } from "./session";
import { edited, type Edits, type Kind, ThingEditor } from "./thingeditor";
import { ThingPanel } from "./thingpanel";
import { ThingSurface } from "./thingsurface";

/** Edit the things of a result; with a draft, go on where it was left. */
export function editThings(
  viewer: Viewer,
  job: Job,
  result: Delineation,
  declared: readonly Kind[],
  leave: AbortSignal,
  draft?: Draft,
): void {
  const { affine, inverse } = viewer.volume;
  const editor = new ThingEditor(result.findings, affine, inverse, declared, draft?.things);
  if (!leave.aborted) new Session(viewer, job, (deeds, signal) => new Things(viewer, job, editor, deeds, signal), leave);
}

class Things implements Work {
  readonly panel: ThingPanel;
  readonly #surface: ThingSurface;
  #kept: Edits;

  constructor(
    readonly viewer: Viewer,
    readonly job: Job,
    readonly editor: ThingEditor,
    deeds: Deeds,
    signal: AbortSignal,
  ) {
    this.#kept = editor.edits;
    this.panel = new ThingPanel(editor, deeds);
    this.#surface = new ThingSurface(viewer.panes[0]!, editor, signal);
    this.panel.onTool = () => this.redraw();
  }

  redraw(): void {
    this.#surface.draw();
  }

  async keep(): Promise<boolean> {
    const { edits } = this.editor;
    if (edits === this.#kept) return false;
    this.#kept = edits;
    await drafts.keep({ job: this.job.id, when: Date.now(), structures: [], things: edits }, new Map());
    return true;
  }

  async pack(): Promise<File> {
    const exported = await client.getGeoJson(this.job.id);
    return new File([JSON.stringify(edited(exported, this.editor))], "things.geojson", { type: "application/geo+json" });
  }

  readonly letters: Letters = {
    q: () => this.panel.choose("none"),
    a: () => this.panel.choose("mark"),
    d: () => this.panel.choose("remove"),
    c: () => this.panel.choose("rename"),
    Escape: () => this.#surface.drop(),
    Delete: () => this.#removeChosen(),
    Backspace: () => this.#removeChosen(),
    " ": ({ target }) => target instanceof HTMLCanvasElement && this.#stamp(),
  };

  /** Take away the thing that was gone to. */
  #removeChosen(): boolean {
    const { chosen } = this.viewer.store.value;
    if (chosen === undefined || !this.editor.things.some(({ id }) => id === chosen)) return false;
    this.editor.remove(chosen);
    return true;
  }

  /** Use the tool at the crosshair, for those who have no mouse. */
  #stamp(): boolean {
    const { editor, viewer } = this;
    const { at } = viewer.store.value;
    if (editor.tool === "none") return false;
    if (editor.tool === "mark") {
      editor.add(at);
      return true;
    }
    const hit = editor.at(at, 3);
    if (hit && editor.tool === "remove") editor.remove(hit.id);
    else if (hit) editor.rename(hit.id);
    return true;
  }
}
