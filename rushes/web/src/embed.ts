/** The embedded player: fills its frame, and knows nothing but what is public. */

import { ApiError } from "./api";
import { element, fill, required } from "./element";
import { Player } from "./player";
import { type Description, getDescription, sourceOfDescription } from "./playback";
import { tokenOf, wishesOf } from "./wishes";

const AGAIN_AFTER = 5000;
const SELDOM = 300_000;
const id = decodeURIComponent(location.pathname.split("/").filter(Boolean).at(-1) ?? "");
const token = tokenOf(location.search);
const stage = required("#stage");
const player = new Player(wishesOf(location.search));

function titleOf(found: Description): HTMLElement {
  if (token) return element("span", { class: "title" }, found.title);
  const address = `/watch/${encodeURIComponent(id)}`;
  return element("a", { class: "title", href: address, target: "_blank", rel: "noopener" }, found.title);
}

/** `wait`: until it is looked for more, which what is encrypted for HLS alone never has. */
function show(found: Description, wait = AGAIN_AFTER): void {
  const source = sourceOfDescription(found, token);
  document.title = source.title;
  if (!player.root.isConnected) {
    fill(stage, player.root);
    if (found.title) player.root.append(titleOf(found));
  }
  player.update(source);
  if (found.dash) return;
  const more = (next: Description) => show(next, Math.min(wait * 2, SELDOM));
  setTimeout(() => void getDescription(id, token).then(more, () => undefined), wait);
}

function sentenceFor(error: ApiError): string {
  if (error.status === 401 || error.status === 403) return "This video needs a valid link. Please reload the page that shows it.";
  if (error.status === 404 || error.status === 410) return "This video is not there, or is not public.";
  return error.message;
}

function say(error: unknown): void {
  if (!(error instanceof ApiError)) throw error;
  const again = element("button", { type: "button", class: "small", click: () => void begin() }, "Try again");
  fill(stage, element("div", { class: "curtain", role: "alert" }, element("p", {}, sentenceFor(error)), again));
}

async function begin(): Promise<void> {
  await getDescription(id, token).then((found) => show(found)).catch(say);
}

void import("hls.js"); // on its way while the description is asked for
void begin();
