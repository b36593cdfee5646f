/** What stands beside the planes and the list once a result is there: surfaces, comparison, report. */

import * as client from "../service/client";
import { comparedAs } from "../service/cases";
import type { Delineation, Detector, Job, Offer } from "../service/documents";
import { ComparisonPanel } from "./comparison";
import { h } from "./dom";
import { SolidPane } from "./solid";
import { t } from "./texts";
import type { Viewer } from "./viewer";

/**
 * Add it to a viewer that shows a result.
 *
 * `against` in the view's state is the id of another result to compare with at once.
 */
export function addBesides(
  viewer: Viewer,
  job: Job,
  result: Delineation,
  offers: readonly Offer[],
  detectors: readonly Detector[],
  leave: AbortSignal,
): void {
  const { volume, store } = viewer;
  const offered = (format: string) => offers.some((offer) => offer.format === format);
  if (offered("glb") && volume.shape[0] > 1) {
    const load = () => client.getSurfaces(job.id, leave);
    viewer.beside(new SolidPane(volume, viewer.layers, store, load, leave));
  }
  const parts: HTMLElement[] = [];
  if (comparedAs(result.detector.gives)) {
    const panel = new ComparisonPanel(viewer, job, result, detectors, (against) => store.update({ against }));
    parts.push(panel.element);
    panel.offer(store.value.against).catch(() => panel.element.remove());
  }
  if (offered("html")) {
    const address = { href: client.reportAddress(job.id), target: "_blank", rel: "noopener" };
    parts.push(h("p", {}, h("a", { ...address, title: t("report.printAbout"), "data-testid": "report-link" }, t("report.print"))));
  }
  const downloads = viewer.aside.querySelector(".downloads");
  if (downloads) downloads.before(...parts);
  else viewer.aside.append(...parts);
}
