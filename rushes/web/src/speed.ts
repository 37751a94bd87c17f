/** The speed menu. The pitch of voices stays. */

import { element } from "./element";

const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];

export class SpeedControl {
  readonly root = element("select", { "aria-label": "Speed", title: "Speed" });

  constructor(private readonly video: HTMLVideoElement) {
    this.root.append(...SPEEDS.map((speed) => element("option", { value: speed, selected: speed === 1 }, speed === 1 ? "Normal" : `${speed} ×`)));
    this.root.addEventListener("change", () => this.set(Number(this.root.value)));
    video.addEventListener("ratechange", () => (this.root.value = String(video.playbackRate)));
  }

  /** The next faster (1) or slower (-1) one. */
  step(direction: 1 | -1): void {
    const next = SPEEDS[SPEEDS.indexOf(this.video.playbackRate) + direction];
    if (next) this.set(next);
  }

  private set(speed: number): void {
    this.video.defaultPlaybackRate = speed; // a new stream begins with this
    this.video.playbackRate = speed;
  }
}
