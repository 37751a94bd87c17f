/** WebVTT cues (W3C WebVTT, section 4) as far as transcripts and storyboards use them. Pure. */

import type { Cue } from "./asset";

const TIMING = /^((?:\d+:)?\d{2}:\d{2}\.\d{3})[ \t]+-->[ \t]+((?:\d+:)?\d{2}:\d{2}\.\d{3})/;
const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", nbsp: "\u00a0", lrm: "", rlm: "" };

function seconds(stamp: string): number {
  return stamp.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
}

function plain(text: string): string {
  return text.replace(/<[^>]*>/g, "").replace(/&(\w+);/g, (whole, name: string) => ENTITIES[name] ?? whole);
}

function cue(block: string): Cue | null {
  const rows = block.split("\n");
  const at = rows.findIndex((row) => TIMING.test(row));
  const match = at < 0 || at > 1 ? null : TIMING.exec(rows[at] ?? "");
  if (!match) return null;
  return { start: seconds(match[1] ?? ""), end: seconds(match[2] ?? ""), text: plain(rows.slice(at + 1).join("\n")).trim() };
}

export function parseVtt(text: string): Cue[] {
  const blocks = text.replace(/^\ufeff/, "").replace(/\r\n?/g, "\n").split(/\n{2,}/);
  return blocks.map(cue).filter((found): found is Cue => found !== null);
}

export interface Tile {
  start: number;
  end: number;
  url: string;
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Storyboard cues: each names a picture and a spatial fragment (W3C Media Fragments, section 4.2.2). */
export function parseTiles(text: string, base: string): Tile[] {
  const tiles: Tile[] = [];
  for (const { start, end, text: target } of parseVtt(text)) {
    const match = /^(\S+)#xywh=(?:pixel:)?(\d+),(\d+),(\d+),(\d+)$/.exec(target);
    if (!match) continue;
    const [x = 0, y = 0, width = 0, height = 0] = match.slice(2).map(Number);
    tiles.push({ start, end, url: new URL(match[1] ?? "", base).href, x, y, width, height });
  }
  return tiles;
}

/** The last item that has begun at `time`; they are sorted by start. -1 where none has. */
export function indexAt(items: ReadonlyArray<{ start: number }>, time: number): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((items[middle]?.start ?? 0) <= time) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
