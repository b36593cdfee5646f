import { describe, expect, it } from "vitest";
import { differences, readAddress, type Shown, writeAddress } from "../src/page/address";
import { INITIAL, type ViewState } from "../src/page/store";

interface Job {
  readonly job: string;
  readonly shown: Shown;
}

const FIRST: ViewState = { ...INITIAL, at: [5, 20, 20], window: { centre: 40, width: 400 } };
const CHANGED: ViewState = {
  ...FIRST,
  at: [7, 3, 19],
  window: { centre: -600.5, width: 1500 },
  main: 2,
  hidden: new Set(["lung_left", "a, b & c=50 % | d"]),
  viewports: [{ zoom: 2.5, x: -12.25, y: 0.5 }, { zoom: 1, x: 0, y: 0 }, { zoom: 1, x: 0, y: 0 }],
  outline: false,
  fill: 0.4,
  crosshair: false,
  slab: { projection: "max", thickness_mm: 12.5 },
  measurements: [
    { kind: "length", axis: 0, points: [[7, 1.5, 2], [7, 30.25, 4]] },
    { kind: "angle", axis: 2, points: [[1, 2, 19], [3, 4, 19], [5, 6.75, 19]] },
  ],
  shown: "split",
};

describe("the address of a view", () => {
  it("brings the whole view back", () => {
    const { measurements, ...kept } = differences(CHANGED, FIRST);
    const back = readAddress(writeAddress({ job: "01J a&b/1", shown: { ...kept, measurements: measurements! } })) as Job;
    expect(back.job).toBe("01J a&b/1");
    expect({ ...FIRST, ...back.shown }).toEqual(CHANGED);
  });

  it("is short where nothing was changed", () => {
    const shown = differences({ ...FIRST, at: [9, 20, 20], hidden: new Set() }, FIRST);
    expect(writeAddress({ job: "abc", shown })).toBe("#job=abc&slice=9");
  });

  it("may name an image only", () => {
    expect(readAddress(writeAddress({ image: "0f" }))).toEqual({ image: "0f" });
    expect(readAddress("")).toBeUndefined();
    expect(readAddress("#slice=3")).toBeUndefined();
  });

  it.each(["slice=-1", "slice=1.5", "at=1,2", "at=1,2,x", "window=40,0", "window=40", "main=3", "zoom=1,2", "fill=7", "slab=max,-1", "slab=sum,3", "measure=length,0,1,2", "measure=area,0", "shown=both", "hide", "%"])(
    "leaves out what makes no sense: %s",
    (part) => {
      const address = readAddress(`#job=abc&${part}`) as Job;
      expect(address.job).toBe("abc");
      expect({ ...FIRST, ...address.shown, hidden: new Set() }).toEqual(FIRST);
    },
  );

  it("survives being encoded once more, as mail programs do", () => {
    const shown = { window: { centre: 40, width: 80 }, slab: { projection: "min", thickness_mm: 5 } } as const;
    const address = readAddress(writeAddress({ job: "abc", shown }).replaceAll(",", "%2C"));
    expect(address).toEqual({ job: "abc", shown });
  });
});
