/** Builds DOM nodes. Text is always text: nothing here or elsewhere writes markup, so titles may be hostile. */

type Value = string | number | boolean | null | undefined | ((event: Event) => void);
export type Child = Node | string | null | undefined | false;

const SAFE_SCHEMES = new Set(["http:", "https:", "blob:"]);

/** The address if a browser may safely open it, else an empty one. */
export function safeUrl(address: string): string {
  try {
    return SAFE_SCHEMES.has(new URL(address, location.href).protocol) ? address : "";
  } catch {
    return "";
  }
}

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, Value> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name, value);
    else if (name === "href" || name === "src" || name === "poster") node.setAttribute(name, safeUrl(String(value)));
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  fill(node, ...children);
  return node;
}

/** Puts the children in place of what was there. */
export function fill(node: Element, ...children: Child[]): void {
  node.replaceChildren(...children.filter((child): child is Node | string => Boolean(child)));
}

/** The element that the page must have. */
export function required<T extends HTMLElement>(selector: string): T {
  const found = document.querySelector<T>(selector);
  if (!found) throw new Error(`The page lacks ${selector}`);
  return found;
}

const PATHS = {
  play: "M7 4.5v15l13-7.5z",
  pause: "M6 4.5h4.5v15H6zM13.5 4.5H18v15h-4.5z",
  replay: "M12 5V1.5L6.5 6.5 12 11.5V8a5.5 5.5 0 1 1-5.5 5.5h-3A8.5 8.5 0 1 0 12 5z",
  loud: "M3.5 9v6h4l5.5 4.5v-15L7.500 9zM15.500 8.200a5 5 0 0 1 0 7.600zM15.500 3.600v2.200a6.600 6.600 0 0 1 0 12.400v2.200a8.700 8.700 0 0 0 0-16.800z",
  muted: "M3.5 9v6h4l5.500 4.500v-15L7.500 9zM22 9.400 20.600 8 18.500 10.100 16.400 8 15 9.400l2.100 2.100L15 13.600 16.400 15l2.100-2.100L20.600 15 22 13.600l-2.100-2.100z",
  captions: "M4 4.500h16A1.500 1.500 0 0 1 21.500 6v12a1.500 1.500 0 0 1-1.500 1.500H4A1.500 1.500 0 0 1 2.500 18V6A1.500 1.500 0 0 1 4 4.500zM11 10.500V10a1 1 0 0 0-1-1H7a1 1 0 0 0-1 1v4a1 1 0 0 0 1 1h3a1 1 0 0 0 1-1v-.500H9.500v.250h-2v-3.500h2v.250zm7 0V10a1 1 0 0 0-1-1h-3a1 1 0 0 0-1 1v4a1 1 0 0 0 1 1h3a1 1 0 0 0 1-1v-.500h-1.500v.250h-2v-3.500h2v.250z",
  gear: "M10.300 2h3.400l.500 2.600 1.900 1.100 2.500-.900 1.700 2.900-2 1.700v2.200l2 1.700-1.700 2.900-2.500-.900-1.900 1.100-.500 2.600h-3.400l-.500-2.600-1.900-1.100-2.500.900-1.700-2.900 2-1.700v-2.200l-2-1.700 1.700-2.900 2.500.900 1.900-1.100zM12 7.200a3.300 3.300 0 1 0 0 6.600 3.300 3.300 0 0 0 0-6.600z",
  expand: "M4 4h6v2.500H6.500V10H4zM14 4h6v6h-2.500V6.500H14zM4 14h2.500v3.500H10V20H4zM17.500 14H20v6h-6v-2.500h3.500z",
} as const;

export type IconName = keyof typeof PATHS;

export function icon(name: IconName): SVGSVGElement {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", PATHS[name]);
  path.setAttribute("fill-rule", "evenodd");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.append(path);
  return svg;
}
