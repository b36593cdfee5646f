/** Windows, outline and area, view. */

import { FITTED } from "../imaging/viewport";
import type { Preset } from "../imaging/window";
import { fill, h, icon, ICONS } from "./dom";
import type { Store, ViewState } from "./store";
import { t } from "./texts";
import { slabControl, toolButtons } from "./tools";

export class Toolbar {
  readonly element: HTMLElement;
  readonly #presets = h("div", { class: "segments", role: "group", "aria-label": t("tool.window") });
  readonly #window = h("output", { class: "window", "data-testid": "window" });
  readonly #outline = toggle(t("tool.outlines"), "outline", () => this.#flip("outline"));
  readonly #crosshair = toggle(t("tool.crosshair"), "crosshair", () => this.#flip("crosshair"));
  readonly #smooth = toggle(t("tool.smooth"), "smooth", () => this.#flip("smooth"));
  readonly #fill = h("input", {
    type: "range",
    min: 0,
    max: 100,
    "data-testid": "fill",
    "aria-label": t("tool.fillAbout"),
  });
  readonly #fillLabel = h("label", { class: "fill" }, t("tool.fill"), this.#fill);
  readonly #tools: ReturnType<typeof toolButtons>;
  readonly #slab: ReturnType<typeof slabControl>;
  #offered: readonly Preset[] = [];

  constructor(
    readonly store: Store<ViewState>,
    volumetric: boolean,
    help: () => void,
    save: () => void,
  ) {
    this.#tools = toolButtons(store);
    this.#slab = slabControl(store);
    this.#fill.addEventListener("input", () =>
      store.update({ fill: Number(this.#fill.value) / 100 }),
    );
    this.element = h(
      "div",
      { class: "toolbar", role: "toolbar", "aria-label": t("tool.bar") },
      this.#presets,
      this.#window,
      this.#tools.element,
      volumetric && this.#slab.element,
      h("span", { class: "space" }),
      this.#outline,
      this.#fillLabel,
      volumetric && this.#crosshair,
      this.#smooth,
      h("button", { type: "button", "data-testid": "reset", on: { click: () => this.reset() } }, t("tool.reset")),
      h(
        "button",
        {
          type: "button",
          "data-testid": "picture",
          title: t("tool.pictureAbout"),
          "aria-label": t("tool.picture"),
          on: { click: save },
        },
        icon(...ICONS.camera),
      ),
      h(
        "button",
        { type: "button", "aria-label": t("help.title"), title: `${t("help.title")} (?)`, on: { click: help } },
        "?",
      ),
    );
  }

  /** Whether there are outlines, or may be. */
  set outlined(outlined: boolean) {
    this.#outline.hidden = this.#fillLabel.hidden = !outlined;
  }

  /** Whether slices may be put together: not beside a restored image, nor in colour. */
  set slabbed(slabbed: boolean) {
    this.#slab.element.hidden = !slabbed;
  }

  set presets(presets: readonly Preset[]) {
    this.#offered = presets;
    fill(
      this.#presets,
      ...presets.map((preset, i) =>
        h(
          "button",
          {
            type: "button",
            "data-testid": "preset",
            "data-name": preset.name,
            title: t("tool.presetAbout", { centre: Math.round(preset.centre), width: Math.round(preset.width) }),
            on: { click: () => this.choose(i) },
          },
          t(`window.${preset.name}`),
        ),
      ),
    );
  }

  choose(number: number): void {
    const preset = this.#offered[number];
    if (preset) this.store.update({ window: { centre: preset.centre, width: preset.width } });
  }

  /** The preset so many places after the one that is on; the first where none is. */
  next(places: number): void {
    const { centre, width } = this.store.value.window;
    const on = this.#offered.findIndex((each) => each.centre === centre && each.width === width);
    const count = this.#offered.length;
    this.choose(on < 0 ? 0 : (on + places + count) % count);
  }

  reset(): void {
    const { slab } = this.store.value;
    this.store.update({ viewports: [FITTED, FITTED, FITTED], slab: { ...slab, projection: "none" } });
    this.choose(0);
  }

  /** The window in words. */
  get told(): string {
    const round = (value: number) => Number(value.toPrecision(4)).toLocaleString("en");
    const { centre, width } = this.store.value.window;
    return t("tool.windowIs", { centre: round(centre), width: round(width) });
  }

  draw(): void {
    const { window, outline, crosshair, smooth, fill: opacity } = this.store.value;
    fill(this.#window, this.told);
    Array.from(this.#presets.children).forEach((child, i) => {
      const { centre, width } = this.#offered[i]!;
      press(child, centre === window.centre && width === window.width);
    });
    press(this.#outline, outline);
    press(this.#crosshair, crosshair);
    press(this.#smooth, smooth);
    this.#tools.draw();
    this.#slab.draw();
    this.#fill.value = String(Math.round(opacity * 100));
  }

  #flip(name: "outline" | "crosshair" | "smooth"): void {
    this.store.update({ [name]: !this.store.value[name] });
  }
}

function toggle(label: string, test: string, click: () => void): HTMLElement {
  return h("button", { type: "button", class: "toggle", "data-testid": test, on: { click } }, label);
}

function press(button: Element, pressed: boolean): void {
  button.setAttribute("aria-pressed", String(pressed));
}
