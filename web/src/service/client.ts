/** Calls to the service; addresses are relative to the page. */

import { emptyVolume, readHeader, type Volume } from "../imaging/volume";
import type { Case, Comparison } from "./cases";
import type { Delineation, Detector, Job, Offer, Report, Series, UploadedImage, Version } from "./documents";
import { ended } from "./documents";
import { t } from "../page/texts";

/** An answer that is an error, told in the service's words. */
export class ServiceError extends Error {
  constructor(
    readonly title: string,
    detail: string,
    readonly status: number,
    readonly report?: Report,
    readonly series?: readonly Series[],
  ) {
    super(detail);
  }
}

/** Read `application/problem+json`, or make the best of another body. */
export function problem(status: number, body: string): ServiceError {
  try {
    const { title, detail, report, series } = JSON.parse(body);
    const told = typeof detail === "string" ? detail : JSON.stringify(detail);
    return new ServiceError(String(title ?? "Error"), told || t("failure.unreachable"), status, report, series);
  } catch {
    return new ServiceError("Error", t(status ? "failure.status" : "failure.unreachable", { status }), status);
  }
}

async function call(path: string, init?: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw problem(0, "");
  }
  if (!response.ok) throw problem(response.status, await response.text());
  return response;
}

async function json<T>(path: string, init?: RequestInit): Promise<T> {
  return (await call(path, init)).json() as Promise<T>;
}

const at = (...parts: string[]) => ["v1", ...parts.map(encodeURIComponent)].join("/");

/** Who the service takes this browser for. */
export interface Session {
  readonly name: string;
  readonly tenant: string;
}

export const getSession = () => json<Session>(at("session"));
export const closeSession = () => call(at("session"), { method: "DELETE" });
/** Hand over a key; the service answers with a cookie that no script can read. */
export const openSession = (key: string) =>
  json<Session>(at("session"), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ key: key.trim() }),
  });
export const getDetectors = () => json<Detector[]>(at("detectors"));
export const getImage = (id: string) => json<UploadedImage>(at("images", id));
export const getJob = (id: string) => json<Job>(at("jobs", id));
export const getResult = (id: string) => json<Delineation>(at("jobs", id, "result"));
export const getOffers = (id: string) => json<Offer[]>(at("jobs", id, "exports"));
export const cancelJob = (id: string) => json<Job>(at("jobs", id), { method: "DELETE" });
export const getSurfaces = async (id: string, signal: AbortSignal) =>
  (await call(at("jobs", id, "exports", "glb"), { signal })).arrayBuffer();
/** `within`: the distance or the least overlap by which two things are the same one. */
export const getComparison = (id: string, reference: string, within: Readonly<Record<string, string>> = {}) =>
  json<Comparison>(`${at("jobs", id, "comparison")}?${new URLSearchParams({ reference, ...within })}`);
/** Cases, the newest first: a page of them, those after a place, or those on one image. */
export const getCases = (asked: { readonly limit: string; readonly after?: string; readonly image?: string }) =>
  json<{ readonly cases: readonly Case[]; readonly next: string | null }>(`${at("cases")}?${new URLSearchParams(asked)}`);
/** Have a label map, outlines or things kept as a result to compare with. */
export const sendReference = (imageId: string, series: string, file: File, things: boolean) => {
  const asked = new URLSearchParams({ series, name: file.name, things: String(things) });
  return json<Job>(`${at("images", imageId, "references")}?${asked}`, { method: "POST", body: file });
};
export const thumbnailAddress = (id: string) => at("jobs", id, "thumbnail");
export const getGeoJson = (id: string) =>
  json<{ features: { properties: Record<string, unknown> & { number?: number } }[] }>(at("jobs", id, "exports", "geojson"));
export const reportAddress = (id: string) => at("jobs", id, "report");
export const getVersions = async (id: string) =>
  (await json<{ versions: Version[] }>(at("jobs", id, "corrections"))).versions;
export const exportAddress = (id: string, format: string) => at("jobs", id, "exports", format);

export function startJob(request: {
  image_id: string;
  detector: string;
  series: string;
  options: Record<string, unknown>;
}): Promise<Job> {
  return json<Job>(at("jobs"), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(request),
  });
}

/** Have labels or things that somebody has corrected made into another version of a result. */
export function correct(id: string, file: File, comment: string): Promise<Job> {
  const form = new FormData();
  form.append("comment", comment);
  form.append("labels", file);
  return json<Job>(at("jobs", id, "corrections"), { method: "POST", body: form });
}

/**
 * Upload everything in one request; `told` hears the part that is sent, 0 to 1.
 *
 * `spacing` is the size of a pixel in mm, or `ROW,COLUMN`, where the files do not say it.
 */
export function uploadFiles(
  files: readonly { readonly file: File; readonly path: string }[],
  told: (part: number) => void,
  signal: AbortSignal,
  spacing?: string,
): Promise<UploadedImage> {
  const form = new FormData();
  for (const { file, path } of files) form.append("files", file, path);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", at("images") + (spacing ? `?spacing_mm=${encodeURIComponent(spacing)}` : ""));
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) told(event.loaded / event.total);
    };
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(problem(request.status, request.responseText));
    };
    request.onerror = () => reject(problem(0, ""));
    request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

/**
 * Follow a job until it ends; the answer stops it.
 *
 * A broken stream reconnects by itself; where the browser gives up, the job is asked for instead.
 */
export function followJob(
  id: string,
  heard: (job: Job) => void,
  failed: (error: unknown) => void,
): () => void {
  let stopped = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const events = new EventSource(at("jobs", id, "events"));
  const stop = () => {
    stopped = true;
    clearTimeout(timer);
    events.close();
  };
  const hear = (job: Job) => {
    if (stopped) return;
    if (ended(job)) stop();
    heard(job);
  };
  const ask = async () => {
    try {
      hear(await getJob(id));
    } catch (error) {
      if (stopped) return;
      if (error instanceof ServiceError && error.status > 0) {
        stop();
        return failed(error);
      }
    }
    if (!stopped && events.readyState === EventSource.CLOSED) timer = setTimeout(ask, 2000);
  };
  events.addEventListener("job", (event) => hear(JSON.parse((event as MessageEvent).data)));
  events.onerror = () => void ask();
  return stop;
}

export const volumeAddress = (imageId: string, series: string) =>
  `${at("images", imageId, "volume")}?series=${encodeURIComponent(series)}`;
export const samplesAddress = (jobId: string) => at("jobs", jobId, "samples");

/**
 * Fetch samples.
 *
 * `begun` gets the volume as soon as its shape is known, its samples still zero; they are filled
 * in from the first slice on, and `told` hears how many bytes are there.
 */
export async function fetchVolume(
  path: string,
  signal: AbortSignal,
  begun: (volume: Volume) => void = () => {},
  told: (bytes: number) => void = () => {},
): Promise<Volume> {
  const response = await call(path, { signal });
  const volume = emptyVolume(readHeader((name) => response.headers.get(name)));
  begun(volume);
  const { buffer, byteLength } = volume.samples;
  const bytes = new Uint8Array(buffer);
  const reader = response.body!.getReader();
  let filled = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (filled + value.length > byteLength) throw truncated(byteLength, filled + value.length);
    bytes.set(value, filled);
    filled += value.length;
    told(filled);
  }
  if (filled !== byteLength) throw truncated(byteLength, filled);
  return volume;
}

function truncated(expected: number, got: number): Error {
  return new Error(t("failure.truncated", { expected, got }));
}
