/** Make elements. Children are nodes or text, never markup. */

type Child = Node | string | number | null | undefined | false;
type Listeners = { [K in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[K]) => void };

interface Properties {
  readonly class?: string;
  readonly on?: Listeners;
  /** Attributes; `true` sets an empty one, `false` and `undefined` none. */
  readonly [attribute: string]: string | number | boolean | Listeners | undefined;
}

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Properties = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "on") {
      for (const [type, listener] of Object.entries(value as Listeners)) {
        element.addEventListener(type, listener as EventListener);
      }
    } else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined) element.setAttribute(name, String(value));
  }
  fill(element, ...children);
  return element;
}

/** Replace what an element holds. */
export function fill(element: Element, ...children: Child[]): void {
  element.replaceChildren(
    ...children
      .filter((child) => child !== null && child !== undefined && child !== false)
      .map((child) => (child instanceof Node ? child : String(child))),
  );
}

/** With a capital letter first. */
export function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export const SVG = "http://www.w3.org/2000/svg";

/** A drawing of strokes on a square of 24 units, coloured like the text around it. */
export function icon(...paths: string[]): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("icon");
  for (const d of paths) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

export const ICONS = {
  folder: ["M3 6.5h6l2 2.5h10v10H3z"],
  file: ["M6 3h8l4 4v14H6z", "M14 3v4h4"],
  upload: ["M12 16V4", "M7 9l5-5 5 5", "M4 15v5h16v-5"],
  eye: ["M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12z", "M12 9.2a2.8 2.8 0 110 5.6 2.8 2.8 0 010-5.6z"],
  hidden: ["M4 4l16 16", "M9 6.2A9 9 0 0112 5.5c6 0 9.500 6.500 9.500 6.500a17 17 0 01-3 3.700", "M6 8a17 17 0 00-3.500 4S6 18.500 12 18.500c1 0 2-.2 3-.5"],
  solo: ["M12 5a7 7 0 110 14 7 7 0 010-14z", "M12 1.500v5M12 17.500v5M1.500 12h5M17.500 12h5"],
  expand: ["M14 4h6v6", "M10 20H4v-6", "M20 4l-7 7", "M4 20l7-7"],
  move: ["M12 3v18M3 12h18", "M9 6l3-3 3 3M9 18l3 3 3-3M6 9l-3 3 3 3M18 9l3 3-3 3"],
  zoom: ["M10.500 4a6.500 6.500 0 110 13 6.500 6.500 0 010-13z", "M15.500 15.500L21 21", "M7.500 10.500h6M10.500 7.500v6"],
  contrast: ["M12 4a8 8 0 110 16 8 8 0 010-16z", "M12 4v16", "M15 7v10M18 9.500v5"],
  length: ["M4 20L20 4", "M2 16l6 6M16 2l6 6"],
  angle: ["M18 4L4 19h17", "M12 10.500a9 9 0 013.500 8.500"],
  camera: ["M3 8h4l2-3h6l2 3h4v11H3z", "M12 10a3.500 3.500 0 110 7 3.500 3.500 0 010-7z"],
  theme: ["M12 3.500a8.500 8.500 0 110 17z", "M12 3.500a8.500 8.500 0 100 17"],
  warning: ["M12 4L2.500 20h19z", "M12 10v4.500", "M12 17.200v.3"],
} as const;
