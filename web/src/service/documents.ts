/** What the service answers; docs/rest.md has it in words. */

import type { Vec3 } from "../imaging/affine";
import { t } from "../page/texts";

export type Verdict = "usable" | "corrected" | "refused";

export interface Series {
  readonly id: string;
  readonly format: string;
  readonly modality: string;
  readonly description: string;
  /** What their sender calls them. */
  readonly files?: readonly string[];
  readonly slices: number;
  readonly shape: readonly number[];
  readonly spacing_mm: readonly number[];
  readonly orientation: string;
  readonly tilt_degrees: number;
  readonly unit: string;
  readonly field_of_view_mm: readonly number[];
  readonly verdict: Verdict;
  readonly advice: string;
  readonly problems: readonly { readonly code: string; readonly message: string }[];
}

export interface Report {
  readonly verdict: Verdict;
  readonly advice: string;
  readonly series: readonly Series[];
  readonly ignored: readonly { readonly name: string; readonly reason: string }[];
}

export interface UploadedImage {
  readonly id: string;
  readonly files: number;
  readonly bytes: number;
  readonly report: Report;
}

/** Slices, rows and columns of a volume; width and height of a picture, as people say them. */
export function sizeOf([slices = 1, rows = 1, columns = 1]: readonly number[]): string {
  return slices > 1 ? `${slices} × ${rows} × ${columns}` : t("size.pixels", { width: columns, height: rows });
}

/** What a series is called: its own description, else the name of its only file. */
export function titleOf({ description, files, modality }: Pick<Series, "description" | "files" | "modality">): string {
  return description || (files?.length === 1 ? files[0]! : t("size.series", { modality }));
}

/** What is told of a series while it is seen. */
export function subjectOf(series: Series | undefined): string {
  if (!series) return "";
  const size = series.slices > 1 ? t("size.slices", { n: series.slices }) : sizeOf(series.shape);
  const title = series.description || (series.modality === "photo" ? titleOf(series) : "");
  return [title, series.modality, size].filter(Boolean).join(" · ");
}

/** What an image is called where one is chosen among several. */
export function calledBy({ report, id }: UploadedImage): string {
  const series = report.series.find(({ verdict }) => verdict !== "refused") ?? report.series[0];
  return series ? `${titleOf(series)}, ${sizeOf(series.shape)}` : id.slice(0, 8);
}

export interface Detector {
  readonly id: string;
  readonly title: string;
  readonly version: string;
  readonly task: string;
  readonly gives: string;
  readonly intended_use: string;
  /** What it may find. */
  readonly categories?: readonly { readonly name: string; readonly colour: string }[];
  readonly wants: {
    readonly modalities: readonly string[];
    readonly unit: string | null;
    readonly dimensions: number | null;
    readonly min_slices: number;
    readonly min_size?: readonly number[] | null;
    readonly max_size?: readonly number[] | null;
    /** What else it refuses, in words. */
    readonly refuses?: readonly string[];
  };
  /** JSON schema of an object. */
  readonly options_schema: unknown;
}

export type JobState = "queued" | "running" | "done" | "failed" | "cancelled";

/** A format that a result can be had in. */
export interface Offer {
  readonly format: string;
  readonly title: string;
  readonly media_type: string;
}

export interface Job {
  readonly id: string;
  readonly state: JobState;
  readonly stage: string;
  readonly progress: number;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly image_id: string;
  readonly series: string;
  readonly detector: string;
}

export interface Contour {
  readonly slice: number;
  readonly hole: boolean;
  readonly points: readonly Vec3[];
}

export interface Finding {
  readonly id: number;
  readonly category: {
    readonly name: string;
    readonly colour: string;
    readonly laterality: string | null;
    readonly code?: unknown;
  };
  readonly score: number | null;
  readonly measurements: {
    readonly voxels?: number | null;
    readonly volume_ml?: number | null;
    readonly mean_hu?: number | null;
    readonly area_mm2?: number | null;
    readonly area_px?: number | null;
    /** Of a field: what its score means, and from where on it is a finding. */
    readonly meaning?: string;
    readonly threshold?: number;
  };
  readonly notes: readonly string[];
  readonly contours: readonly Contour[];
  readonly point: Vec3 | null;
  /** Opposite corners in the world. */
  readonly box: readonly [Vec3, Vec3] | null;
}

export interface Delineation {
  readonly image: {
    readonly modality: string;
    readonly grid: { readonly unit: string };
    readonly source: { readonly format: string };
  };
  readonly detector: {
    readonly id: string;
    readonly title: string;
    readonly version: string;
    readonly task: string;
    readonly gives: string;
    readonly intended_use: string;
  };
  readonly provenance: {
    readonly seconds: number;
    readonly device: string;
    /** Of what a person has corrected: what the detector was. */
    readonly correction?: { readonly detector: { readonly id: string } };
  };
  /** Numbers on the image as a whole, such as `count`. */
  readonly overall?: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
  readonly notes: readonly string[];
}

export function ended(job: Pick<Job, "state">): boolean {
  return job.state === "done" || job.state === "failed" || job.state === "cancelled";
}

/** Why a detector does not read a series; nothing where it does. */
export function mismatch(detector: Detector, series: Series): string | undefined {
  const { modalities, unit, dimensions, min_slices } = detector.wants;
  if (modalities.length && !modalities.includes(series.modality)) {
    return t("mismatch.modality", { wanted: modalities.join(", "), got: series.modality });
  }
  if (unit && unit !== series.unit) return t("mismatch.unit", { wanted: unit, got: series.unit });
  if (dimensions === 2 && series.slices > 1) return t("mismatch.single");
  if (dimensions === 3 && series.slices < 2) return t("mismatch.volume");
  if (series.slices < min_slices) return t("mismatch.slices", { n: min_slices });
  // In the orientation wanted; a volume may be turned to it, a picture is as it is.
  if (series.slices === 1) {
    const { min_size, max_size } = detector.wants;
    const within = series.shape.slice(1);
    if (min_size && within.some((n, i) => n < min_size[i + 1]!)) {
      return t("mismatch.small", { size: sizeOf([1, ...min_size.slice(1)]) });
    }
    if (max_size && within.some((n, i) => n > max_size[i + 1]!)) {
      return t("mismatch.large", { size: sizeOf([1, ...max_size.slice(1)]) });
    }
  }
  return undefined;
}

/** First those made for such a series, then those that read anything, then the rest. */
export function suited(detectors: readonly Detector[], series: Series): Detector[] {
  const rank = (detector: Detector) => {
    if (mismatch(detector, series)) return 2;
    return detector.wants.modalities.length ? 0 : 1;
  };
  return [...detectors].sort((one, other) => rank(one) - rank(other));
}

/** One version of a result; `of` is the one that it was made from, null where a detector gave it. */
export interface Version {
  readonly job: string;
  readonly of: string | null;
  readonly state: JobState;
  readonly who: string;
  readonly comment: string;
  readonly created: string;
}
