/** The quality menu. Automatic unless somebody chooses. */

import type Hls from "hls.js";
import { element, fill } from "./element";

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
    const names = hls.levels.map((level) => `${Math.min(level.height, level.width) || Math.round(level.bitrate / 1000)}${level.height ? "p" : "k"}`);
    const current = hls.autoLevelEnabled ? -1 : hls.loadLevel;
    const automatic = names[hls.currentLevel] && current < 0 ? `Auto (${names[hls.currentLevel]})` : "Auto";
    const option = (value: number, text: string) => element("option", { value, selected: value === current }, text);
    fill(this.root, option(-1, automatic), ...names.map((name, index) => option(index, name)).reverse());
  }

  private choose(level: number): void {
    if (!this.hls) return;
    this.hls.nextLevel = level;
    this.show(this.hls);
  }
}
