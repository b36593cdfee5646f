/** Which tool the left mouse button has, and how many slices are seen at once. */

import type { Slab } from "../imaging/slab";
import { h, icon, ICONS } from "./dom";
import type { Store, Tool, ViewState } from "./store";
import { t } from "./texts";

interface Part {
  readonly element: HTMLElement;
  draw(): void;
}

const TOOLS: readonly { tool: Tool; icon: keyof typeof ICONS; name: Parameters<typeof t>[0]; about: Parameters<typeof t>[0] }[] = [
  { tool: "move", icon: "move", name: "tool.move", about: "tool.moveAbout" },
  { tool: "zoom", icon: "zoom", name: "tool.zoom", about: "tool.zoomAbout" },
  { tool: "window", icon: "contrast", name: "tool.windowing", about: "tool.windowAbout" },
  { tool: "length", icon: "length", name: "tool.length", about: "tool.lengthAbout" },
  { tool: "angle", icon: "angle", name: "tool.angle", about: "tool.angleAbout" },
];

export const PROJECTIONS = ["none", "max", "mean", "min"] as const satisfies readonly Slab["projection"][];

const THICKEST_MM = 500;

/** Choose a tool; what was half drawn is dropped. */
export function takeTool(store: Store<ViewState>, tool: Tool): void {
  store.update({ tool, draft: undefined });
}

export function toolButtons(store: Store<ViewState>): Part {
  const buttons = TOOLS.map((each) =>
    h(
      "button",
      {
        type: "button",
        "data-testid": `tool-${each.tool}`,
        title: t(each.about),
        "aria-label": t(each.name),
        on: { click: () => takeTool(store, each.tool) },
      },
      icon(...ICONS[each.icon]),
    ),
  );
  return {
    element: h("div", { class: "segments tools", role: "group", "aria-label": t("tool.drag") }, ...buttons),
    draw: () => {
      buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(TOOLS[i]!.tool === store.value.tool)));
    },
  };
}

/** The slab with another thickness, within what makes sense. */
export function thicker(slab: Slab, by_mm: number): Slab {
  return { ...slab, thickness_mm: Math.max(1, Math.min(THICKEST_MM, Math.round(slab.thickness_mm + by_mm))) };
}

export function nextProjection(slab: Slab): Slab {
  const next = (PROJECTIONS.indexOf(slab.projection) + 1) % PROJECTIONS.length;
  return { ...slab, projection: PROJECTIONS[next]! };
}

export function slabControl(store: Store<ViewState>): Part {
  const select = h(
    "select",
    { "data-testid": "slab", "aria-label": t("slab.about"), title: `${t("slab.about")} (T)` },
    ...PROJECTIONS.map((each) => h("option", { value: each }, t(`slab.${each}`))),
  );
  const thickness = h("input", {
    type: "number",
    min: 1,
    max: THICKEST_MM,
    "data-testid": "thickness",
    "aria-label": t("slab.thickness"),
    title: `${t("slab.thickness")} (< >)`,
  });
  const size = h("label", { class: "thickness" }, thickness, "mm");
  // Chosen with the mouse, it gives the keys back to the image.
  let byMouse = false;
  select.addEventListener("pointerdown", () => (byMouse = true));
  select.addEventListener("keydown", () => (byMouse = false));
  select.addEventListener("change", () => {
    if (byMouse) select.blur();
    store.update({ slab: { ...store.value.slab, projection: PROJECTIONS[select.selectedIndex]! } });
  });
  thickness.addEventListener("change", () => {
    const thickness_mm = Number(thickness.value);
    if (thickness_mm > 0) store.update({ slab: { ...store.value.slab, thickness_mm: Math.min(thickness_mm, THICKEST_MM) } });
    else store.tell();
  });
  return {
    element: h("span", { class: "slab-control" }, select, size),
    draw: () => {
      const { projection, thickness_mm } = store.value.slab;
      select.value = projection;
      size.hidden = projection === "none";
      if (document.activeElement !== thickness) thickness.value = String(thickness_mm);
    },
  };
}
