/** The quality menu. Automatic unless somebody chooses. */

import type Hls from "hls.js";
import type { Level } from "hls.js";
import { element, fill } from "./element";

const CODECS: Record<string, string> = { avc1: "H.264", hvc1: "HEVC", av01: "AV1" };

/** `avc1.640028` (RFC 6381) as people call it. */
export function codecName(codecs: string): string {
  const tag = codecs.slice(0, 4);
  return CODECS[tag] ?? tag;
}

/** Heights; and the codec where one height is there in several. */
function names(levels: readonly Level[]): string[] {
  const plain = levels.map((level) => `${Math.min(level.height, level.width) || Math.round(level.bitrate / 1000)}${level.height ? "p" : "k"}`);
  return plain.map((name, index) => {
    if (plain.indexOf(name) === plain.lastIndexOf(name)) return name;
    return `${name} ${codecName(levels[index]?.videoCodec ?? "")}`.trim();
  });
}

export class QualityControl {
  readonly root = element("select", { "aria-label": "Quality", title: "Quality", hidden: true });
  private hls: Hls | null = null;

  constructor() {
    this.root.addEventListener("change", () => this.choose(Number(this.root.value)));
  }

  show(hls: Hls | null): void {
    this.hls = hls;
    this.root.hidden = !hls || hls.levels.length < 2;
    if (!hls || this.root.hidden) return;
    const all = names(hls.levels);
    const current = hls.autoLevelEnabled ? -1 : hls.loadLevel;
    const automatic = all[hls.currentLevel] && current < 0 ? `Auto (${all[hls.currentLevel]})` : "Auto";
    const option = (value: number, text: string) => element("option", { value, selected: value === current }, text);
    fill(this.root, option(-1, automatic), ...all.map((name, index) => option(index, name)).reverse());
  }

  private choose(level: number): void {
    if (!this.hls) return;
    this.hls.nextLevel = level;
    this.show(this.hls);
  }
}
