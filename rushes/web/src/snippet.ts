/** What to paste into another page to have the player there. Pure. */

import { type Asset, titleOf } from "./asset";

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (letter) => ENTITIES[letter] ?? "");
}

/** `base`: any address of this server. The frame takes the width that there is, and the shape of the picture. */
export function snippet(asset: Asset, base: string): string {
  const { display_width: width, display_height: height } = asset.source ?? {};
  const shape = width && height ? `${width} / ${height}` : "16 / 9";
  const attributes = {
    src: new URL(`/embed/${encodeURIComponent(asset.id)}`, base).href,
    title: titleOf(asset),
    style: `border: 0; width: 100%; aspect-ratio: ${shape}`,
    allow: "autoplay; fullscreen; picture-in-picture; encrypted-media",
    loading: "lazy",
  };
  const said = Object.entries(attributes).map(([name, value]) => `${name}="${escaped(value)}"`);
  return `<iframe ${said.join(" ")} allowfullscreen></iframe>`;
}
