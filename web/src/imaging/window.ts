/** Which samples are black and which are white. */

export interface Window {
  readonly centre: number;
  readonly width: number;
}

export interface Preset extends Window {
  readonly name: "Soft tissue" | "Lung" | "Bone" | "Brain" | "Full" | "As it is" | "Contrast";
}

/** Usual windows for Hounsfield units. */
export const CT_PRESETS: readonly Preset[] = [
  { name: "Soft tissue", centre: 40, width: 400 },
  { name: "Lung", centre: -600, width: 1500 },
  { name: "Bone", centre: 500, width: 2000 },
  { name: "Brain", centre: 40, width: 80 },
];

export function span(low: number, high: number): Window {
  const width = Math.max(high - low, Number.EPSILON);
  return { centre: low + width / 2, width };
}

/** From the lowest to the highest sample. */
export function fullWindow(samples: ArrayLike<number>): Window {
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < samples.length; i++) {
    const value = samples[i]!;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low < high ? span(low, high) : span(Number.isFinite(low) ? low : 0, (low || 0) + 1);
}

/** Leave out the lowest and highest hundredth, judged from at most 100 000 samples. */
export function robustWindow(samples: ArrayLike<number>): Window {
  const stride = Math.max(1, Math.floor(samples.length / 100_000));
  const values: number[] = [];
  for (let i = 0; i < samples.length; i += stride) {
    if (Number.isFinite(samples[i]!)) values.push(samples[i]!);
  }
  values.sort((a, b) => a - b);
  const at = (part: number) => values[Math.floor(part * (values.length - 1))] ?? 0;
  const [low, high] = [at(0.01), at(0.99)];
  return low < high ? span(low, high) : fullWindow(samples);
}

/** What to offer and, first, what to begin with. */
export function presetsFor(modality: string, dtype: string, samples: ArrayLike<number>): Preset[] {
  const full: Preset = { name: "Full", ...fullWindow(samples) };
  if (modality === "CT") return [...CT_PRESETS, full];
  if (dtype === "uint8") {
    const plain: Preset = { name: "As it is", ...span(0, 255) };
    return full.centre === plain.centre && full.width === plain.width ? [plain] : [plain, full];
  }
  return [{ name: "Contrast", ...robustWindow(samples) }, full];
}

/** Drag to the right for more contrast range, downwards for a darker picture. */
export function draggedWindow(start: Window, dx: number, dy: number): Window {
  const gain = Math.max(start.width, 1) / 300;
  return {
    centre: start.centre + dy * gain,
    width: Math.max(start.width + dx * gain, start.width / 1000, 1e-6),
  };
}
