/** The course of things: upload, report, job, result. */

import type { Measurement } from "../imaging/measuring";
import type { Volume } from "../imaging/volume";
import * as client from "../service/client";
import { ServiceError } from "../service/client";
import {
  type Detector,
  ended,
  type Job,
  subjectOf,
  type UploadedImage,
} from "../service/documents";
import { mayLeave } from "../editing/guard";
import { addVersions } from "../editing/versions";
import type { Gathered } from "../upload/gather";
import { addBesides } from "./besides";
import { CasesPage } from "./cases";
import { keepAddress, readAddress, type Shown, writeAddress } from "./address";
import { announcer } from "./announce";
import { fill, h } from "./dom";
import { Frame } from "./frame";
import { loginPage } from "./login";
import { downloads, failurePage, provenance, remarks } from "./outcome";
import { Progress, stageOf } from "./progress";
import { type Request, setupPage } from "./setup";
import { acceptDrops, showInstalled, startPage } from "./start";
import { t } from "./texts";
import { Viewer } from "./viewer";

type State = "login" | "idle" | "cases" | "uploading" | "report" | "running" | "shown" | "error";

export class App {
  readonly #content = h("div", { class: "content" });
  readonly #frame = new Frame({
    mayLeave,
    toStart: () => this.idle(),
    signOut: () => void this.#leaveSession(),
  });
  #detectors: readonly Detector[] = [];
  /** What was uploaded or opened on this page, by id. */
  readonly #images = new Map<string, UploadedImage>();
  /** What was measured, by image and series. */
  readonly #measured = new Map<string, readonly Measurement[]>();
  #leave = new AbortController();

  constructor(root: HTMLElement) {
    fill(root, this.#frame.element, this.#content, announcer);
    acceptDrops((files) => mayLeave() && void this.upload(files));
    window.addEventListener("hashchange", ({ oldURL }) =>
      mayLeave() ? this.#visit() : history.replaceState(null, "", oldURL),
    );
    this.#visit();
    client.getSession().then((who) => this.#frame.signedIn(who), () => undefined);
  }

  async #leaveSession(): Promise<void> {
    await client.closeSession().catch(() => undefined);
    this.#frame.signedIn(undefined);
    this.login();
  }

  /** Ask for a key, then go on to what the address says. */
  login(): void {
    this.#frame.about("", "");
    const enter = async (key: string) => {
      this.#frame.signedIn(await client.openSession(key));
      this.#visit();
    };
    this.#enter("login", loginPage(enter));
  }

  /** Stop what is under way on the page and show something else. */
  #enter(state: State, view: Node): AbortSignal {
    this.#leave.abort();
    this.#leave = new AbortController();
    fill(this.#content, view);
    this.#state = state;
    return this.#leave.signal;
  }

  set #state(state: State) {
    document.body.dataset.state = state;
  }

  #visit(): void {
    if (location.hash === "#cases") return void this.cases();
    const address = readAddress(location.hash);
    if (!address) this.idle();
    else if ("image" in address) void this.openImage(address.image);
    else void this.open(address.job, address.shown);
  }

  /** The table of all results. */
  async cases(): Promise<void> {
    this.#frame.about("", "");
    const leave = new AbortController();
    const page = new CasesPage(this.#detectors, (hash) => (location.hash = hash), leave.signal);
    this.#enter("cases", page.element).addEventListener("abort", () => leave.abort());
    const known = client.getDetectors().then((detectors) => page.know((this.#detectors = detectors)));
    try {
      await Promise.all([page.load(), known]);
    } catch (error) {
      if (!leave.signal.aborted) this.fail(error);
    }
  }

  idle(): void {
    if (location.hash) history.replaceState(null, "", location.pathname + location.search);
    const page = startPage((files) => void this.upload(files));
    this.#frame.about("", "");
    const signal = this.#enter("idle", page);
    client.getDetectors().then(
      (detectors) => {
        if (signal.aborted) return;
        this.#detectors = detectors;
        showInstalled(page, detectors);
      },
      (error: unknown) => {
        if (!signal.aborted) this.fail(error);
      },
    );
  }

  async upload(files: readonly Gathered[]): Promise<void> {
    const abort = new AbortController();
    const progress = new Progress(t("upload.title"), () => abort.abort());
    const bytes = files.reduce((sum, { file }) => sum + file.size, 0);
    const amount = `${files.length === 1 ? files[0]!.path : t("upload.files", { n: files.length })}, ${(bytes / 1e6).toFixed(1)} MB`;
    progress.tell(0, amount);
    const leave = this.#enter("uploading", h("main", { class: "centre" }, h("div", { class: "card" }, progress.element)));
    leave.addEventListener("abort", () => abort.abort());
    try {
      const tell = (part: number) =>
        part < 1 ? progress.tell(part, amount) : progress.tell(undefined, t("upload.reading"));
      const [image, detectors] = await Promise.all([
        client.uploadFiles(files, tell, abort.signal),
        client.getDetectors(),
      ]);
      this.#detectors = detectors;
      this.report(image, files);
    } catch (error) {
      if (leave.aborted) return;
      if (abort.signal.aborted) this.idle();
      else this.fail(error);
    }
  }

  /** Ask what to find; with the files at hand, their scale can be stated as well. */
  report(image: UploadedImage, files?: readonly Gathered[]): void {
    this.#images.set(image.id, image);
    history.replaceState(null, "", writeAddress({ image: image.id }));
    this.#frame.about("", "");
    const leave = new AbortController();
    const images = {
      offered: () => [...this.#images.values()].filter(({ id }) => id !== image.id),
      upload: async (files: readonly Gathered[]) => {
        const other = await client.uploadFiles(files, () => {}, leave.signal);
        this.#images.set(other.id, other);
        return other;
      },
    };
    const scale = files && (async (spacing: string) => {
      this.report(await client.uploadFiles(files, () => {}, leave.signal, spacing), files);
    });
    const begin = (request: Request) => this.start(image, request);
    const page = setupPage(image, this.#detectors, images, begin, scale);
    this.#enter("report", page).addEventListener("abort", () => leave.abort());
  }

  /** Come back to an image by its address. */
  async openImage(id: string): Promise<void> {
    const leave = this.#enter("running", h("main", { class: "centre" }, h("p", { class: "muted" }, t("app.loading"))));
    try {
      const [image, detectors] = await Promise.all([client.getImage(id), client.getDetectors()]);
      if (leave.aborted) return;
      this.#detectors = detectors;
      this.report(image);
    } catch (error) {
      if (!leave.aborted) this.fail(error);
    }
  }

  async start(image: UploadedImage, { series, detector, options }: Request): Promise<void> {
    const job = await client.startJob({
      image_id: image.id,
      detector: detector.id,
      series: series.id,
      options,
    });
    history.replaceState(null, "", writeAddress({ job: job.id, shown: {} }));
    this.#watch(job, image, {});
  }

  /** Come back to a job by its address. */
  async open(id: string, shown: Shown): Promise<void> {
    const waiting = h("main", { class: "centre" }, h("p", { class: "muted" }, t("app.loading")));
    const leave = this.#enter("running", waiting);
    try {
      const job = await client.getJob(id);
      const [image, detectors] = await Promise.all([
        client.getImage(job.image_id),
        client.getDetectors(),
      ]);
      if (leave.aborted) return;
      this.#detectors = detectors;
      this.#images.set(image.id, image);
      this.#watch(job, image, shown);
    } catch (error) {
      if (!leave.aborted) this.fail(error);
    }
  }

  /** Show the image while the job runs, and what it found once it has ended. */
  #watch(job: Job, image: UploadedImage, shown: Shown): void {
    const series = image.report.series.find(({ id }) => id === job.series);
    const detector = this.#detectors.find(({ id }) => id === job.detector);
    this.#frame.about(subjectOf(series), detector?.intended_use ?? "");
    const progress = new Progress(detector?.title ?? job.detector, () => {
      progress.cancelling();
      client.cancelJob(job.id).catch(() => undefined);
    });
    const place = h("main", { class: "work" }, h("div", { class: "centre muted" }, t("app.loadingImage")));
    const leave = this.#enter("running", place);
    let viewer: Viewer | undefined;
    const subject = `${job.image_id} ${job.series}`;
    const volume = client.fetchVolume(
      client.volumeAddress(job.image_id, job.series),
      leave,
      (begun) => {
        if (leave.aborted) return;
        viewer = new Viewer(begun, { measurements: this.#measured.get(subject) ?? [], ...shown }, leave);
        fill(viewer.aside, progress.element);
        fill(place, viewer.element);
        keepAddress(job.id, viewer, leave);
        viewer.store.listen(({ measurements }) => this.#measured.set(subject, measurements));
      },
      (bytes) => viewer?.loaded(bytes),
    );
    const end = (last: Job) => {
      if (leave.aborted) return;
      if (last.state === "done") {
        this.#finish(last, volume, () => viewer!, leave).catch((error: unknown) => {
          if (!leave.aborted) this.fail(error, image);
        });
      } else if (last.state === "failed") {
        this.fail(new ServiceError(last.error?.code ?? "Error", last.error?.message ?? "", 0), image);
      } else this.report(image);
    };
    volume.catch((error: unknown) => {
      if (!leave.aborted) this.fail(error, image);
    });
    const tell = (heard: Job) => {
      if (heard.state === "queued") progress.tell(undefined, t("progress.queued"));
      else progress.tell(heard.progress, stageOf(heard.stage));
    };
    tell(job);
    if (ended(job)) return end(job);
    const stop = client.followJob(
      job.id,
      (heard) => {
        tell(heard);
        if (ended(heard)) end(heard);
      },
      (error) => this.fail(error, image),
    );
    leave.addEventListener("abort", stop);
  }

  async #finish(
    job: Job,
    volume: Promise<Volume>,
    viewer: () => Viewer,
    leave: AbortSignal,
  ): Promise<void> {
    const [result, offers] = await Promise.all([client.getResult(job.id), client.getOffers(job.id), volume]);
    const sampled = result.detector.gives === "field" || result.detector.gives === "image";
    const samples = sampled ? await client.fetchVolume(client.samplesAddress(job.id), leave).catch(asError) : undefined;
    if (leave.aborted) return;
    this.#frame.about(undefined, result.detector.intended_use);
    viewer().show(result, samples, remarks(result), downloads(job, offers), provenance(result));
    addBesides(viewer(), job, result, offers, this.#detectors, leave);
    const made = result.provenance.correction?.detector.id ?? result.detector.id;
    const kinds = this.#detectors.find(({ id }) => id === made)?.categories ?? [];
    addVersions(viewer(), job, result, kinds, leave);
    this.#state = "shown";
  }

  /** Tell what went wrong and what can be done; with an image, another try is offered. */
  fail(error: unknown, image?: UploadedImage): void {
    if (error instanceof ServiceError && error.status === 401) return this.login();
    this.#frame.about("", "");
    const again = image && (() => this.#retry(image));
    this.#enter("error", failurePage(error, () => this.idle(), again));
  }

  #retry(image: UploadedImage): void {
    this.report(image);
  }
}

const asError = (error: unknown) => (error instanceof Error ? error : new Error(String(error)));
