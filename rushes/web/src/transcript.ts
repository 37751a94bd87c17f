/** The transcript: each cue seeks, the one that is spoken is marked and kept in view. */

import { fetched } from "./api";
import type { Cue, Transcript } from "./asset";
import { element } from "./element";
import { indexAt, parseVtt } from "./vtt";
import { clock } from "./words";

async function cuesOf(transcript: Transcript): Promise<Cue[]> {
  if (Array.isArray(transcript.cues)) return transcript.cues;
  return transcript.url ? parseVtt(await (await fetched(transcript.url)).text()) : [];
}

function row(cue: Cue, seek: (time: number) => void): HTMLLIElement {
  const click = () => seek(cue.start);
  return element("li", {}, element("button", { type: "button", click }, element("time", {}, clock(cue.start)), element("span", {}, cue.text)));
}

/** Keeps `row` visible inside `list` without moving the page. */
function reveal(list: HTMLElement, row: HTMLElement): void {
  const [outer, inner] = [list.getBoundingClientRect(), row.getBoundingClientRect()];
  if (inner.top < outer.top || inner.bottom > outer.bottom) list.scrollTop += inner.top - outer.top - outer.height / 3;
}

function follow(list: HTMLElement, rows: HTMLElement[], cues: Cue[], video: HTMLVideoElement): void {
  let current = -1;
  video.addEventListener("timeupdate", () => {
    const index = indexAt(cues, video.currentTime);
    const spoken = video.currentTime < (cues[index]?.end ?? 0) ? index : -1;
    if (spoken === current) return;
    rows[current]?.removeAttribute("aria-current");
    rows[spoken]?.setAttribute("aria-current", "true");
    const row = rows[spoken];
    if (row && !video.paused) reveal(list, row);
    current = spoken;
  });
}

/** The section, or null where nothing was said. */
export async function transcriptSection(
  transcript: Transcript,
  video: HTMLVideoElement,
  seek: (time: number) => void,
): Promise<HTMLElement | null> {
  const cues = (await cuesOf(transcript)).toSorted((one, other) => one.start - other.start);
  if (cues.length === 0) return null;
  const rows = cues.map((cue) => row(cue, seek));
  const list = element("ol", { class: "cues", tabindex: "0", lang: transcript.language ?? undefined }, ...rows);
  follow(list, rows, cues, video);
  const origin = [transcript.trusted === false ? "Draft, not reviewed" : "", transcript.engine ?? ""].filter(Boolean).join(" · ");
  return element("section", { class: "panel" }, element("h2", {}, "Transcript"), origin ? element("p", { class: "hint" }, origin) : null, list);
}
