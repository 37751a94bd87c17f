/** Where a video can be had: the watch page, the manifests and the player for other pages, each to open or to copy. */

import { type Asset, playbackOf } from "./asset";
import { element, fill } from "./element";
import { snippet } from "./snippet";

function copyButton(text: string, name: string): HTMLButtonElement {
  const button = element("button", { type: "button", class: "small", "aria-label": `Copy the ${name}` }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
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
  return element("li", {}, element("a", { href: address }, name), copyButton(new URL(address, location.href).href, `${name} address`));
}

function embedEntry(asset: Asset): HTMLLIElement | null {
  if (!asset.playback?.hls || asset.playback.private) return null; // a signed one needs a token of the app
  const address = `/embed/${encodeURIComponent(asset.id)}`;
  return element("li", {}, element("a", { href: address }, "Embed"), copyButton(snippet(asset, location.href), "Embed snippet"));
}

export function showLinks(place: HTMLElement, asset: Asset, page: boolean): void {
  const { hls, dash } = playbackOf(asset);
  const watch = page && hls ? entry("Watch page", `/watch/${encodeURIComponent(asset.id)}`) : null;
  fill(place, watch, entry("HLS", hls), entry("DASH", dash), embedEntry(asset));
  place.hidden = place.childElementCount === 0;
}
