/** Labels as the service takes them back: 3D Slicer's `.seg.nrrd`. */

import { step, type Vec3 } from "../imaging/affine";
import type { Header } from "../imaging/volume";
import type { Structure } from "./history";
import type { Samples } from "./labels";

/** The header, up to the first sample; colours are parts of 1, names one line each. */
export function headerOf({ shape, affine, unit }: Header, bytes: 1 | 2, structures: readonly Structure[]): string {
  const triple = (parts: Vec3) => `(${parts.join(",")})`;
  const steps = [2, 1, 0].map((axis) => triple(step(affine, axis)));
  const fields = structures.flatMap(({ id, name, colour }, i) => {
    const parts = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255);
    return [
      `Segment${i}_ID:=Segment_${id}`,
      `Segment${i}_Name:=${name.replace(/\s+/g, " ").trim()}`,
      `Segment${i}_Color:=${parts.map((part) => part.toPrecision(6)).join(" ")}`,
      `Segment${i}_LabelValue:=${id}`,
      `Segment${i}_Layer:=0`,
    ].map((line) => line.replaceAll("\\", "\\\\"));
  });
  const lines = [
    "NRRD0004",
    `type: ${bytes === 1 ? "unsigned char" : "unsigned short"}`,
    "dimension: 3",
    "space: left-posterior-superior",
    `sizes: ${[...shape].reverse().join(" ")}`,
    `space directions: ${steps.join(" ")}`,
    "kinds: domain domain domain",
    ...(bytes === 2 ? ["endian: little"] : []),
    "encoding: gzip",
    `space origin: ${triple([affine[3]!, affine[7]!, affine[11]!])}`,
    ...(unit === "px" ? ["unit:=px"] : []),
    ...fields,
  ];
  return `${lines.join("\n")}\n\n`;
}

export async function packed(header: Header, data: Samples, structures: readonly Structure[]): Promise<Blob> {
  const bytes = data.BYTES_PER_ELEMENT as 1 | 2;
  const gzip = new Blob([data as BlobPart]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Blob([headerOf(header, bytes, structures), await new Response(gzip).blob()]);
}
