/** The address of a view, so that it can be kept, sent and come back to. */

import type { Vec3 } from "../imaging/affine";
import { type Measurement, PLACES } from "../imaging/measuring";
import type { Axis } from "../imaging/orientation";
import type { Projection } from "../imaging/slab";
import { FITTED, type Viewport } from "../imaging/viewport";
import type { Store, ViewState } from "./store";

/** What an address tells of a view; the rest is as it is at first. */
export type Shown = Partial<
  Pick<ViewState, "at" | "window" | "viewports" | "main" | "hidden" | "outline" | "fill" | "crosshair" | "slab" | "measurements" | "shown" | "against">
> & {
  /** Index of the first axis, where no whole place is given. */
  readonly slice?: number;
};

export type Address =
  | { readonly job: string; readonly shown: Shown }
  /** An image for which nothing was started. */
  | { readonly image: string };

/** Values as they stand in the address: each reader decodes its own. */
type Parts = ReadonlyMap<string, string>;

/** Read `#job=ID&slice=N&...` or `#image=ID`; parts that make no sense are left out. */
export function readAddress(hash: string): Address | undefined {
  const parts = new Map(
    hash
      .replace(/^#/, "")
      .split("&")
      .map((part): [string, string] => [part.split("=", 1)[0]!, part.slice(part.indexOf("=") + 1)]),
  );
  const [job, image] = [decoded(parts.get("job")), decoded(parts.get("image"))];
  if (job) return { job, shown: readShown(parts) };
  return image ? { image } : undefined;
}

export function writeAddress(address: Address): string {
  if ("image" in address) return `#image=${encodeURIComponent(address.image)}`;
  const { slice, at, window, main, hidden, viewports, outline, fill, crosshair, slab, measurements, shown, against } = address.shown;
  const parts: [string, string | number | false | undefined][] = [
    ["job", encodeURIComponent(address.job)],
    ["at", at?.join(",")],
    ["window", window && [window.centre, window.width].map(short).join(",")],
    ["main", main],
    ["hide", hidden && [...hidden].map(encodeURIComponent).join(",")],
    ["zoom", viewports && viewports.map(({ zoom, x, y }) => [zoom, x, y].map(short).join(",")).join(";")],
    ["outline", outline === undefined ? undefined : Number(outline)],
    ["fill", fill],
    ["cross", crosshair === undefined ? undefined : Number(crosshair)],
    ["slab", slab && `${slab.projection},${short(slab.thickness_mm)}`],
    ["measure", measurements?.map(written).join("|")],
    ["shown", shown],
    ["against", against && encodeURIComponent(against)],
    ["slice", slice],
  ];
  return `#${parts.flatMap(([name, value]) => (value === undefined || value === "" ? [] : `${name}=${value}`)).join("&")}`;
}

/** What differs from how a view was at first. */
export function differences(state: ViewState, first: ViewState): Shown {
  const same = (name: keyof ViewState) => JSON.stringify(plain(state[name])) === JSON.stringify(plain(first[name]));
  const kept = ["window", "viewports", "main", "hidden", "outline", "fill", "crosshair", "slab", "measurements", "shown", "against"] as const;
  const changed = Object.fromEntries(kept.filter((name) => !same(name)).map((name) => [name, state[name]]));
  const aside = state.at[1] !== first.at[1] || state.at[2] !== first.at[2];
  return { ...changed, ...(aside ? { at: state.at } : { slice: state.at[0] }) };
}

/** What an address is kept of. */
interface Viewed {
  readonly store: Store<ViewState>;
  readonly complete: boolean;
  readonly changed: Shown;
}

/** Keep the address of a job up to date with how it is seen, until somebody leaves. */
export function keepAddress(job: string, view: Viewed, leave: AbortSignal): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  view.store.listen(() => {
    if (!view.complete) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (!leave.aborted) history.replaceState(null, "", writeAddress({ job, shown: view.changed }));
    }, 300);
  });
}

const plain = (value: unknown) => (value instanceof Set ? [...value].sort() : value);
const short = (value: number) => Number(value.toPrecision(6));

function written({ kind, axis, points }: Measurement): string {
  return `${kind},${axis},${points.map((point) => point.map((part) => Number(part.toFixed(2))).join(",")).join(",")}`;
}

function readShown(parts: Parts): Shown {
  const numbers = (name: string, count: number) => numbersOf(decoded(parts.get(name)), count);
  const flag = (name: string) => ({ "0": false, "1": true })[parts.get(name) ?? ""];
  const slice = numbers("slice", 1)?.[0];
  const at = numbers("at", 3);
  const window = numbers("window", 2);
  const main = numbers("main", 1)?.[0];
  const fill = numbers("fill", 1)?.[0];
  const [outline, crosshair, viewports, slab] = [flag("outline"), flag("cross"), readViewports(decoded(parts.get("zoom"))), readSlab(decoded(parts.get("slab")))];
  const measurements = decoded(parts.get("measure")).split("|").flatMap((text) => readMeasurement(text) ?? []);
  const against = decoded(parts.get("against"));
  const shown = (["source", "restored", "split"] as const).find((name) => name === parts.get("shown"));
  return {
    ...(slice !== undefined && isIndex(slice) && { slice }),
    ...(at?.every(isIndex) && { at: at as unknown as Vec3 }),
    ...(window && window[1]! > 0 && { window: { centre: window[0]!, width: window[1]! } }),
    ...((main === 0 || main === 1 || main === 2) && { main }),
    ...(parts.has("hide") && { hidden: new Set(parts.get("hide")!.split(",").map(decoded)) }),
    ...(viewports && { viewports }),
    ...(outline !== undefined && { outline }),
    ...(fill !== undefined && fill >= 0 && fill <= 1 && { fill }),
    ...(crosshair !== undefined && { crosshair }),
    ...(slab && { slab }),
    ...(measurements?.length && { measurements }),
    ...(shown && { shown }),
    ...(against && { against }),
  };
}

const isIndex = (value: number) => Number.isInteger(value) && value >= 0;

function decoded(name: string | undefined): string {
  try {
    return decodeURIComponent(name ?? "");
  } catch {
    return "";
  }
}

function numbersOf(text: string | undefined, count: number): number[] | undefined {
  const numbers = text ? text.split(",").map((part) => (part.trim() ? Number(part) : NaN)) : [];
  return numbers.length === count && numbers.every(Number.isFinite) ? numbers : undefined;
}

function readViewports(text: string | undefined): ViewState["viewports"] | undefined {
  const views = text?.split(";").map((part): Viewport => {
    const [zoom, x, y] = numbersOf(part, 3) ?? [];
    return zoom && zoom >= 0.5 && zoom <= 40 ? { zoom, x: x!, y: y! } : FITTED;
  });
  return views?.length === 3 ? (views as unknown as ViewState["viewports"]) : undefined;
}

function readSlab(text: string | undefined): ViewState["slab"] | undefined {
  const [name, thickness] = text?.split(",") ?? [];
  const projection = (["none", "max", "min", "mean"] as const).find((each): each is Projection | "none" => each === name);
  const [thickness_mm] = numbersOf(thickness, 1) ?? [];
  return projection && thickness_mm && thickness_mm > 0 ? { projection, thickness_mm } : undefined;
}

function readMeasurement(text: string): Measurement | undefined {
  const [kind, ...rest] = text.split(",");
  if (kind !== "length" && kind !== "angle") return undefined;
  const numbers = numbersOf(rest.join(","), 1 + 3 * PLACES[kind]);
  const axis = numbers?.[0];
  if (!numbers || (axis !== 0 && axis !== 1 && axis !== 2)) return undefined;
  const points = Array.from({ length: PLACES[kind] }, (_, i) => numbers.slice(1 + 3 * i, 4 + 3 * i) as unknown as Vec3);
  return { kind, axis: axis as Axis, points };
}
