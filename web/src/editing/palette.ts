/** Colours of what people add: Okabe & Ito, as the service's categories have them. */

const PALETTE = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7"];

/** One that no other has, as long as there is one. */
export function unusedColour(others: readonly { readonly colour: string }[]): string {
  const used = new Set(others.map(({ colour }) => colour));
  return PALETTE.find((each) => !used.has(each)) ?? PALETTE[others.length % PALETTE.length]!;
}
