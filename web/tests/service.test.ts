import { expect, test } from "vitest";
import { problem } from "../src/service/client";
import { calledBy, type Detector, mismatch, type Series, sizeOf, suited, type UploadedImage } from "../src/service/documents";
import { children } from "../src/upload/gather";

const detector = (id: string, modalities: string[], extra = {}): Detector =>
  ({ id, wants: { modalities, unit: null, dimensions: null, min_slices: 1, ...extra } }) as unknown as Detector;
const CT = { modality: "CT", unit: "mm", slices: 41 } as Series;

test("detectors that read the series come first", () => {
  const all = [detector("any", []), detector("bees", ["photo"]), detector("organs", ["CT"])];
  expect(suited(all, CT).map(({ id }) => id)).toEqual(["organs", "any", "bees"]);
});

test("why a detector does not read a series is told", () => {
  expect(mismatch(detector("bees", ["photo"]), CT)).toMatch(/reads photo, this is CT/);
  expect(mismatch(detector("flat", [], { dimensions: 2 }), CT)).toMatch(/single pictures/);
  expect(mismatch(detector("long", [], { min_slices: 50 }), CT)).toMatch(/at least 50/);
  expect(mismatch(detector("px", [], { unit: "px" }), CT)).toMatch(/needs an image in px/);
});

test("problem+json keeps its words, and anything else is still told", () => {
  const told = problem(422, JSON.stringify({ title: "GeometryError", detail: "a slice is missing" }));
  expect([told.title, told.message, told.status]).toEqual(["GeometryError", "a slice is missing", 422]);
  expect(problem(502, "<html>Bad gateway</html>").message).toBe("The service answered 502.");
  expect(problem(0, "").message).toMatch(/No answer came/);
});

test("a folder is read until it hands out nothing more", async () => {
  const batches = [Array.from({ length: 100 }, (_, i) => i), [100, 101], []] as unknown as FileSystemEntry[][];
  const folder = {
    createReader: () => ({ readEntries: (done: (some: FileSystemEntry[]) => void) => done(batches.shift()!) }),
  } as unknown as FileSystemDirectoryEntry;
  expect(await children(folder)).toHaveLength(102);
});

test("a picture is as wide and as high as people say it", () => {
  expect(sizeOf([1, 1024, 768])).toBe("768 × 1024 pixels");
  expect(sizeOf([41, 512, 500])).toBe("41 × 512 × 500");
});

test("a picture of another size than a detector reads is told, a volume may be turned", () => {
  const exact = detector("exact", [], { min_size: [1, 128, 128], max_size: [1, 128, 256] });
  const picture = (rows: number, columns: number) =>
    mismatch(exact, { modality: "photo", unit: "px", slices: 1, shape: [1, rows, columns] } as unknown as Series);
  expect(picture(128, 256)).toBeUndefined();
  expect(picture(100, 200)).toBe("needs at least 128 × 128 pixels");
  expect(picture(128, 300)).toBe("reads at most 256 × 128 pixels");
  expect(mismatch(exact, { ...CT, shape: [41, 4, 4] } as unknown as Series)).toBeUndefined();
});

test("an image is called by its description, else by its file", () => {
  const image = (series: object) =>
    ({ id: "0123456789", report: { series: [{ verdict: "usable", modality: "photo", slices: 1, shape: [1, 4, 5], description: "", ...series }] } }) as unknown as UploadedImage;
  expect(calledBy(image({ files: ["trap.jpg"] }))).toBe("trap.jpg, 5 × 4 pixels");
  expect(calledBy(image({ description: "Thorax", files: ["a", "b"] }))).toBe("Thorax, 5 × 4 pixels");
  expect(calledBy(image({ files: ["a", "b"] }))).toBe("photo series, 5 × 4 pixels");
});
