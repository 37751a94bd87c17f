/** The captions control: a button, and a menu of languages where there are several. Remembers whether captions are wanted. */

import type Hls from "hls.js";
import { element, fill, icon } from "./element";
import { recall, remember } from "./remembered";

const WANTED = "rushes-captions";

interface Choice {
  name: string;
  language: string;
}

/** The track of the language asked for: `en` finds `en-GB`, and the other way round. -1 where there is none. */
export function indexOfLanguage(choices: readonly { language: string }[], wanted: string): number {
  const exact = choices.findIndex(({ language }) => language.toLowerCase() === wanted);
  const primary = (tag: string) => tag.toLowerCase().split("-")[0];
  return exact >= 0 ? exact : choices.findIndex(({ language }) => language !== "" && primary(language) === primary(wanted));
}

export class CaptionControl {
  readonly root = element("button", { type: "button", class: "icon", "aria-label": "Captions", title: "Captions", hidden: true, click: () => this.toggle() }, icon("captions"));
  readonly menu = element("select", { "aria-label": "Captions language", title: "Captions language", hidden: true });
  private hls: Hls | null = null;
  private chosen = 0;

  /** `wish`: a language, `on`, `off`, or null for what was chosen last; what is chosen on the page goes before it. */
  constructor(
    private readonly video: HTMLVideoElement,
    private wish: string | null,
  ) {
    this.menu.addEventListener("change", () => this.choose(Number(this.menu.value)));
  }

  show(hls: Hls | null): void {
    this.hls = hls;
    const choices = this.choices();
    const found = this.wish ? indexOfLanguage(choices, this.wish) : -1;
    this.chosen = Math.max(0, found >= 0 ? found : Math.min(this.chosen, choices.length - 1));
    this.root.hidden = choices.length === 0;
    this.menu.hidden = choices.length < 2;
    fill(this.menu, ...choices.map(({ name }, index) => element("option", { value: index, selected: index === this.chosen }, name)));
    this.apply(this.wish ? this.wish === "on" || found >= 0 : recall(WANTED) === "on");
  }

  toggle(): void {
    this.decide(this.root.getAttribute("aria-pressed") !== "true");
  }

  private choose(index: number): void {
    this.chosen = index;
    this.decide(true);
  }

  private decide(on: boolean): void {
    this.wish = null;
    remember(WANTED, on ? "on" : "off");
    this.apply(on);
  }

  private choices(): Choice[] {
    const named = (name: string, language: string) => ({ name: name || language || "Captions", language });
    if (this.hls) return this.hls.subtitleTracks.map((track) => named(track.name, track.lang ?? ""));
    return [...this.video.textTracks].map((track) => named(track.label, track.language));
  }

  private apply(on: boolean): void {
    this.root.setAttribute("aria-pressed", String(on));
    if (this.hls) {
      this.hls.subtitleDisplay = on;
      this.hls.subtitleTrack = on ? this.chosen : -1;
      return;
    }
    [...this.video.textTracks].forEach((track, index) => (track.mode = on && index === this.chosen ? "showing" : "disabled"));
  }
}
