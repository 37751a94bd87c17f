/** The captions control: a button for one track, a menu for several. Remembers whether captions are wanted. */

import type Hls from "hls.js";
import { element, fill, icon } from "./element";

const WANTED = "rushes-captions";

function wanted(): boolean {
  return localStorage.getItem(WANTED) === "on";
}

export class CaptionControl {
  readonly root = element("span", { class: "captions", hidden: true });
  private readonly button = element("button", { type: "button", class: "icon", "aria-label": "Captions", title: "Captions", click: () => this.toggle() }, icon("captions"));
  private readonly menu = element("select", { "aria-label": "Captions language", title: "Captions language" });
  private hls: Hls | null = null;
  private chosen = 0;

  constructor(private readonly video: HTMLVideoElement) {
    this.menu.addEventListener("change", () => this.choose(Number(this.menu.value)));
  }

  show(hls: Hls | null): void {
    this.hls = hls;
    const names = this.names();
    this.chosen = Math.max(0, Math.min(this.chosen, names.length - 1));
    this.root.hidden = names.length === 0;
    fill(this.menu, ...names.map((name, index) => element("option", { value: index }, name)));
    fill(this.root, this.button, names.length > 1 && this.menu);
    this.apply(wanted());
  }

  toggle(): void {
    const on = this.button.getAttribute("aria-pressed") !== "true";
    localStorage.setItem(WANTED, on ? "on" : "off");
    this.apply(on);
  }

  private choose(index: number): void {
    this.chosen = index;
    localStorage.setItem(WANTED, "on");
    this.apply(true);
  }

  private names(): string[] {
    if (this.hls) return this.hls.subtitleTracks.map((track) => track.name || track.lang || "Captions");
    return [...this.video.textTracks].map((track) => track.label || track.language || "Captions");
  }

  private apply(on: boolean): void {
    this.button.setAttribute("aria-pressed", String(on));
    if (this.hls) {
      this.hls.subtitleDisplay = on;
      this.hls.subtitleTrack = on ? this.chosen : -1;
      return;
    }
    [...this.video.textTracks].forEach((track, index) => (track.mode = on && index === this.chosen ? "showing" : "disabled"));
  }
}
