/** Where a video can be had: the watch page and the manifests, each to open or to copy. */

import { type Asset, playbackOf } from "./asset";
import { element, fill } from "./element";

function copyButton(address: string, name: string): HTMLButtonElement {
  const button = element("button", { type: "button", class: "small", "aria-label": `Copy the ${name} address` }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(new URL(address, location.href).href);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  return button;
}

function entry(name: string, address: string | null | undefined): HTMLLIElement | null {
  if (!address) return null;
  return element("li", {}, element("a", { href: address }, name), copyButton(address, name));
}

export function showLinks(place: HTMLElement, asset: Asset, page: boolean): void {
  const { hls, dash } = playbackOf(asset);
  const watch = page && hls ? entry("Watch page", `/watch/${encodeURIComponent(asset.id)}`) : null;
  fill(place, watch, entry("HLS", hls), entry("DASH", dash));
  place.hidden = place.childElementCount === 0;
}
