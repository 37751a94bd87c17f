/** Numbers and codes turned into what a person reads. Pure. */

import type { Asset } from "./asset";

export function clock(seconds: number): string {
  const whole = Number.isFinite(seconds) ? Math.max(0, Math.floor(seconds)) : 0;
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = `${String(rest).padStart(2, "0")}`;
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

function scaled(value: number, units: string[]): string {
  let rest = value;
  let unit = 0;
  while (rest >= 999.5 && unit < units.length - 1) {
    rest /= 1000;
    unit += 1;
  }
  return `${rest < 9.95 && unit > 0 ? rest.toFixed(1) : Math.round(rest)} ${units[unit]}`;
}

/** Decimal units, as disks and networks count. */
export function bytes(count: number): string {
  return scaled(count, ["B", "kB", "MB", "GB", "TB"]);
}

export function bitrate(bitsPerSecond: number): string {
  return scaled(bitsPerSecond, ["bit/s", "kbit/s", "Mbit/s", "Gbit/s"]);
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** Coarse on purpose: an estimate that is precise to the second looks like a promise. */
export function span(seconds: number): string {
  if (seconds < 50) return counted(Math.max(1, seconds < 10 ? Math.ceil(seconds) : Math.ceil(seconds / 5) * 5), "second");
  if (seconds < 3300) return counted(Math.max(1, Math.round(seconds / 60)), "minute");
  if (seconds < 129_600) return counted(Math.max(1, Math.round(seconds / 3600)), "hour");
  return counted(Math.round(seconds / 86_400), "day");
}

export function ago(then: string, now: number): string {
  const seconds = (now - Date.parse(then)) / 1000;
  if (!Number.isFinite(seconds)) return "";
  return seconds < 10 ? "just now" : `${span(seconds)} ago`;
}

/** `30000/1001` or a number; trailing zeros are dropped. */
export function frameRate(rate: string | number): string {
  const [over, under] = String(rate).split("/").map(Number);
  const value = (over ?? 0) / (under || 1);
  return Number.isFinite(value) && value > 0 ? `${Number(value.toFixed(2))} fps` : "";
}

export function percent(share: number): string {
  return `${Math.floor(Math.min(1, Math.max(0, share)) * 100)} %`;
}

export interface Badge {
  text: string;
  tone: "quiet" | "busy" | "good" | "warn" | "bad";
}

export function badge(asset: Asset): Badge {
  if (asset.state === "failed") return { text: "Failed", tone: "bad" };
  if (asset.state === "deleted") return { text: "Deleted", tone: "quiet" };
  if (asset.publication === "held") return { text: "In review", tone: "warn" };
  if (asset.publication === "blocked") return { text: "Blocked", tone: "bad" };
  if (asset.state === "uploading") return { text: "Uploading", tone: "busy" };
  if (asset.state === "ingested") return { text: "Processing", tone: "busy" };
  if (asset.state === "playable") return { text: "Playable", tone: "busy" };
  return asset.publication === "published" ? { text: "Published", tone: "good" } : { text: "Private", tone: "quiet" };
}

/** Why there is nothing to play, or what to know while it plays. Empty when there is nothing to say. */
export function stateSentence(asset: Asset): string {
  if (asset.state === "failed") return asset.reason?.message ?? "This video could not be processed.";
  if (asset.state === "deleted") return "This video was deleted.";
  if (asset.state === "uploading") return "This video is still being uploaded. It appears here as soon as it can be played.";
  if (asset.state === "ingested") return "This video is being processed. It appears here as soon as it can be played.";
  if (asset.publication === "held") return "This video waits for a review before the public can see it.";
  if (asset.publication === "blocked") return "This video was blocked by the moderation policy. The public cannot see it.";
  if (asset.publication === "private") return "This video is not public. You see a private preview.";
  return "";
}

export function coverageState(state: string): string {
  const words: Record<string, string> = { evaluated: "looked at everything", partial: "looked at a part", not_evaluated: "did not run" };
  return words[state] ?? state;
}

export function verdictSentence(verdict: { action: string; policy: string; rules: string[] }): string {
  const words: Record<string, string> = { publish: "Published", hold: "Held for review", block: "Blocked" };
  const rules = verdict.rules.length ? `, rule ${verdict.rules.join(", ")}` : "";
  return `${words[verdict.action] ?? verdict.action} under policy ${verdict.policy}${rules}.`;
}
