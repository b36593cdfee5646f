/** The versions of a result: who made each of what, and the way to make another. */

import { fill, h } from "../page/dom";
import { t, TAG } from "../page/texts";
import type { Viewer } from "../page/viewer";
import * as client from "../service/client";
import type { Delineation, Job, Version } from "../service/documents";
import * as drafts from "./drafts";
import { editContours } from "./contours";
import type { Kind } from "./thingeditor";
import { editThings } from "./things";

const EDITABLE: readonly string[] = ["labelmap", "masks", "field", "instances"];

/**
 * Add the versions of a result to a viewer that shows it, and the button that edits it.
 *
 * `kinds` are those that its detector may find, as far as it is known.
 */
export function addVersions(viewer: Viewer, job: Job, result: Delineation, kinds: readonly Kind[], leave: AbortSignal): void {
  if (!EDITABLE.includes(result.detector.gives)) return;
  const things = result.detector.gives === "instances";
  const list = h("ol", { class: "versions-list" });
  const draft = h("div", { class: "draft", hidden: true });
  const told = h("p", { class: "note", hidden: true });
  const start = (kept?: drafts.Draft) => async () => {
    if (things) return editThings(viewer, job, result, kinds, leave, kept);
    const began = await editContours(viewer, job, result, leave, kept);
    told.hidden = began;
    fill(told, t("edit.overlap"));
  };
  const offer = async () => {
    const kept = await drafts.find(job.id).catch(() => undefined);
    draft.hidden = !kept;
    button.hidden = kept !== undefined;
    if (!kept) return;
    const discard = () => void drafts.drop(job.id).then(offer);
    fill(
      draft,
      h("p", { class: "note" }, t("edit.kept", { when: moment(kept.when) })),
      h("button", { type: "button", class: "primary", "data-testid": "edit-continue", on: { click: start(kept) } }, t("edit.continue")),
      h("button", { type: "button", "data-testid": "edit-discard", on: { click: discard } }, t("edit.discard")),
    );
  };
  const button = h(
    "button",
    {
      type: "button",
      title: t(things ? "edit.startThingsAbout" : "edit.startAbout"),
      "data-testid": "edit-start",
      on: { click: start() },
    },
    t(things ? "edit.startThings" : "edit.start"),
  );
  const element = h(
    "section",
    { class: "versions", "data-testid": "versions" },
    h("h2", {}, t("edit.versions")),
    list,
    draft,
    button,
    told,
  );
  const downloads = viewer.aside.querySelector(".downloads");
  if (downloads) downloads.before(element);
  else viewer.aside.append(element);
  viewer.aside.addEventListener("edited", () => void offer(), { signal: leave });
  void offer();
  client.getVersions(job.id).then(
    (versions) => fill(list, ...versions.map((version) => row(version, versions, job.id))),
    () => list.remove(),
  );
}

function row(version: Version, versions: readonly Version[], shown: string): HTMLElement {
  const { job, of, state, who, comment, created } = version;
  const from = versions.findIndex((other) => other.job === of) + 1;
  const about = [
    of === null ? t("edit.first") : t("edit.by", { who }),
    from > 0 && versions.length > 2 && t("edit.from", { n: from }),
    state !== "done" && t(`edit.state.${state}`),
    job === shown && t("edit.shown"),
  ].filter((part) => typeof part === "string");
  const here = job === shown;
  const when = h("time", { datetime: created }, moment(Date.parse(created)));
  return h(
    "li",
    { "data-testid": "version", "data-job": job, "aria-current": here ? "true" : undefined },
    here ? h("strong", {}, when) : h("a", { href: `#job=${encodeURIComponent(job)}` }, when),
    h("span", { class: "muted" }, about.join(" · ")),
    comment !== "" && h("span", { class: "comment" }, comment),
  );
}

function moment(milliseconds: number): string {
  return new Date(milliseconds).toLocaleString(TAG, { dateStyle: "medium", timeStyle: "short" });
}
