/** The fourth pane: surfaces of what was found, made and fetched when somebody asks for them. */

import type { Vec3 } from "../imaging/affine";
import type { Layer } from "../imaging/layer";
import { type Axis, planeOf } from "../imaging/orientation";
import { DIRECTIONS, type From } from "../imaging/solid";
import { clampIndex, toIndex, type Volume } from "../imaging/volume";
import { fill, h, icon, ICONS } from "./dom";
import type { Solid } from "./scene";
import type { Store, ViewState } from "./store";
import { t } from "./texts";

const TURN = Math.PI / 24;
const OPACITY = 100;

export class SolidPane {
  readonly element: HTMLElement;
  readonly #body = h("div", { class: "solid-body" });
  readonly #letters = (["left", "right", "top", "bottom"] as const).map((side) => ({
    side,
    element: h("span", { class: `letter ${side}`, "data-testid": `solid-${side}` }),
  }));
  readonly #opacity = h("input", {
    type: "range",
    min: 5,
    max: OPACITY,
    value: OPACITY,
    "aria-label": t("solid.opacity"),
    title: t("solid.opacity"),
    "data-testid": "solid-opacity",
  });
  readonly #slices = h(
    "button",
    { type: "button", title: t("solid.slicesAbout"), "data-testid": "solid-slices", "aria-pressed": "true" },
    t("solid.slices"),
  );
  readonly #tools: HTMLElement;
  #solid: Solid | undefined;

  constructor(
    readonly volume: Volume,
    readonly layers: readonly Layer[],
    readonly store: Store<ViewState>,
    /** Fetches the surfaces as binary glTF. */
    readonly load: () => Promise<ArrayBuffer>,
    readonly leave: AbortSignal,
  ) {
    const views = (Object.keys(DIRECTIONS) as From[]).map((from) =>
      h(
        "button",
        {
          type: "button",
          title: t(`solid.${from}`),
          "aria-label": t(`solid.${from}`),
          "data-testid": `from-${from}`,
          on: { click: () => this.#solid?.look(from) },
        },
        from,
      ),
    );
    this.#tools = h(
      "div",
      { class: "solid-tools", hidden: true },
      h("div", { class: "segments", role: "group", "aria-label": t("solid.from") }, ...views),
      this.#slices,
      this.#opacity,
    );
    this.element = h(
      "section",
      { class: "pane solid", "data-plane": "solid", "aria-label": t("solid.title") },
      this.#body,
      ...this.#letters.map(({ element }) => element),
      h("div", { class: "title" }, h("strong", {}, t("solid.title"))),
      this.#tools,
      h(
        "button",
        {
          class: "expand",
          type: "button",
          "data-testid": "solid-enlarge",
          title: t("solid.enlarge"),
          "aria-label": t("solid.enlarge"),
          on: { click: () => this.element.parentElement?.classList.toggle("solid-main") },
        },
        icon(...ICONS.expand),
      ),
    );
    this.#opacity.addEventListener("input", () => this.draw());
    this.#slices.addEventListener("click", () => {
      this.#slices.setAttribute("aria-pressed", String(!this.#pictures));
      this.draw();
    });
    const start = () => void this.#start();
    fill(
      this.#body,
      h("button", { type: "button", "data-testid": "show-solid", on: { click: start } }, t("solid.show")),
    );
    leave.addEventListener("abort", () => this.#solid?.dispose());
  }

  draw(): void {
    this.#solid?.show(this.store.value, Number(this.#opacity.value) / OPACITY, this.#pictures);
  }

  get #pictures(): boolean {
    return this.#slices.getAttribute("aria-pressed") === "true";
  }

  async #start(): Promise<void> {
    if (!hasWebgl()) return this.#tell(t("solid.noWebgl"));
    fill(this.#body, h("p", { class: "muted", role: "status" }, t("solid.loading")));
    const canvas = h("canvas", { tabindex: 0, role: "img", "aria-label": t("solid.about"), "data-testid": "solid" });
    try {
      const [{ Solid }, { surfacesOf }, glb] = await Promise.all([
        import("./scene"),
        import("./surfaces"),
        this.load(),
      ]);
      if (this.leave.aborted) return;
      const surfaces = await surfacesOf(glb, new Map(this.layers.map(({ name, colour }) => [name, colour])));
      if (this.leave.aborted) return;
      if (!surfaces.size) return this.#tell(t("solid.empty"));
      const planes = ([0, 1, 2] as Axis[]).map((axis) => planeOf(this.volume.affine, axis, this.volume.unit));
      fill(this.#body, canvas);
      this.#solid = new Solid(canvas, this.volume, planes, surfaces);
    } catch (error) {
      if (this.leave.aborted) return;
      return this.#tell(t("solid.failed", { why: error instanceof Error ? error.message : String(error) }));
    }
    this.#listen(canvas, this.#solid);
    this.#tools.hidden = false;
    this.element.dataset.ready = "true";
    this.draw();
  }

  #tell(why: string): void {
    fill(this.#body, h("p", { class: "note", role: "alert", "data-testid": "solid-told" }, why));
  }

  #listen(canvas: HTMLCanvasElement, solid: Solid): void {
    solid.onTurn = (letters) => {
      for (const { side, element } of this.#letters) fill(element, letters[side]);
    };
    new ResizeObserver(() => solid.resize()).observe(canvas);
    let start: readonly [number, number] = [0, 0];
    canvas.addEventListener("pointerdown", (event) => (start = [event.offsetX, event.offsetY]));
    canvas.addEventListener("pointerup", (event) => {
      const { offsetX: x, offsetY: y } = event;
      if (event.button !== 0 || Math.hypot(x - start[0], y - start[1]) > 4) return;
      const point = solid.pick(x, y);
      if (point) this.#go(point);
    });
    canvas.addEventListener("keydown", (event) => {
      const actions: Record<string, () => void> = {
        ArrowLeft: () => solid.turn(-TURN, 0),
        ArrowRight: () => solid.turn(TURN, 0),
        ArrowUp: () => solid.turn(0, -TURN),
        ArrowDown: () => solid.turn(0, TURN),
        "+": () => solid.zoom(1.25),
        "-": () => solid.zoom(0.8),
      };
      const action = actions[event.key];
      if (!action) return;
      // The page's own keys would change the slice.
      event.preventDefault();
      event.stopPropagation();
      action();
    });
  }

  /** Have the slices go to a place in the patient. */
  #go(point: Vec3): void {
    const index = toIndex(this.volume, point);
    const at = ([0, 1, 2] as Axis[]).map((axis) => clampIndex(this.volume, axis, index[axis]));
    this.store.update({ at: at as unknown as Vec3 });
  }
}

function hasWebgl(): boolean {
  return document.createElement("canvas").getContext("webgl2") !== null;
}
