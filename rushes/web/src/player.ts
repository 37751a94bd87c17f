/** The player: a video element with controls of our own. `window.rushesPlayer` gives tests and extensions a handle. */

import type Hls from "hls.js";
import { type Asset, playbackOf, titleOf } from "./asset";
import { CaptionControl } from "./captions";
import { element, fill, icon, safeUrl } from "./element";
import { QualityControl } from "./quality";
import { Seekbar } from "./seekbar";
import { open } from "./stream";
import { clock } from "./words";

declare global {
  interface Window {
    rushesPlayer?: { hls: Hls | null; video: HTMLVideoElement };
  }
}

export interface PlayerSource {
  hls: string;
  poster: string | null;
  storyboard: string | null;
  title: string;
  /** CSS aspect ratio to keep free until the video says its own. */
  shape: string | null;
  /** Rises when there are new manifests behind the same address. */
  build: number;
}

/** What there is to play of an asset; null while there is nothing. */
export function sourceOf(asset: Asset): PlayerSource | null {
  const { hls, poster, storyboard } = playbackOf(asset);
  const { display_width: width, display_height: height } = asset.source ?? {};
  const gone = asset.state === "failed" || asset.state === "deleted";
  if (!hls || gone) return null;
  const shape = width && height ? `${width} / ${height}` : null;
  return { hls, poster, storyboard, title: titleOf(asset), shape, build: asset.build ?? 0 };
}

/** With the build in it, so that no cache answers with the manifest of the build before. */
function addressOf(source: PlayerSource): string {
  const address = new URL(safeUrl(source.hls), location.href);
  if (source.build) address.searchParams.set("build", String(source.build));
  return address.href;
}

const IDLE_AFTER = 2500;
const SKIP = 5;

export class Player {
  readonly root: HTMLElement;
  readonly video: HTMLVideoElement;
  private hls: Hls | null = null;
  private readonly seekbar: Seekbar;
  private readonly quality = new QualityControl();
  private readonly captions: CaptionControl;
  private readonly time = element("span", { class: "time" }, "0:00 / 0:00");
  private readonly playButton = element("button", { type: "button", class: "icon", click: () => this.toggle() });
  private readonly muteButton = element("button", { type: "button", class: "icon", click: () => this.mute() });
  private readonly bigButton = element("button", { type: "button", class: "big", "aria-label": "Play", click: () => this.toggle() });
  private readonly message = element("div", { class: "message", role: "alert", hidden: true });
  private readonly newer = element("button", { type: "button", class: "newer", hidden: true }, "Switch to the better version");
  private idleTimer = 0;
  private loaded: PlayerSource | null = null;

  constructor() {
    this.video = element("video", { playsinline: true, preload: "metadata", tabindex: "-1" });
    this.seekbar = new Seekbar(this.video);
    this.captions = new CaptionControl(this.video);
    this.root = element("div", { class: "player paused", role: "region", tabindex: "0" }, this.video, this.bigButton, this.newer, this.bar(), this.message);
    this.bigButton.append(icon("play"));
    this.listen();
    this.draw();
  }

  /** Plays this from now on, but interrupts nobody: once somebody has begun to watch, a newer build is only offered. */
  update(source: PlayerSource): void {
    const { video, loaded } = this;
    if (loaded && source.build <= loaded.build) return; // the addresses of previews change by themselves
    if (!loaded || (video.paused && video.currentTime < 0.1)) return void this.load(source);
    this.newer.hidden = false;
    this.newer.onclick = () => {
      const resume = !video.paused;
      void this.load(source, video.currentTime).then(() => resume && this.play());
    };
  }

  private async load(source: PlayerSource, start = -1): Promise<void> {
    this.loaded = source;
    this.newer.hidden = true;
    this.root.setAttribute("aria-label", `Player: ${source.title}`);
    if (source.poster && safeUrl(source.poster)) this.video.poster = source.poster;
    if (source.storyboard) this.seekbar.loadStoryboard(source.storyboard).catch(() => undefined); // a preview is a nicety
    if (source.shape) this.root.style.setProperty("--shape", source.shape);
    this.message.hidden = true;
    this.hls?.destroy();
    const listener = {
      levels: () => this.quality.show(this.hls),
      captions: () => this.captions.show(this.hls),
      failed: (sentence: string) => this.fail(sentence, source),
    };
    this.hls = await open(this.video, addressOf(source), listener, start);
    window.rushesPlayer = { hls: this.hls, video: this.video };
  }

  seek(time: number): void {
    this.video.currentTime = time;
    this.play();
    this.root.scrollIntoView({ block: "nearest" });
  }

  destroy(): void {
    this.hls?.destroy();
    this.root.remove();
  }

  private bar(): HTMLElement {
    const full = element("button", { type: "button", class: "icon", "aria-label": "Full screen", click: () => this.expand() }, icon("expand"));
    const row = element("div", { class: "controls" }, this.playButton, this.muteButton, this.time);
    row.append(element("span", { class: "gap" }), this.captions.root, this.quality.root, full);
    return element("div", { class: "bar" }, this.seekbar.root, row);
  }

  private listen(): void {
    const { video, root } = this;
    for (const name of ["play", "pause", "ended", "volumechange", "timeupdate", "durationchange"]) {
      video.addEventListener(name, () => this.draw());
    }
    for (const name of ["waiting", "playing", "seeked", "canplay", "pause"]) {
      video.addEventListener(name, () => root.classList.toggle("stalled", name === "waiting"));
    }
    video.addEventListener("resize", () => root.style.setProperty("--shape", `${video.videoWidth || 16} / ${video.videoHeight || 9}`));
    video.addEventListener("click", () => this.toggle());
    root.addEventListener("keydown", (event) => this.key(event));
    for (const name of ["pointermove", "pointerdown", "focusin", "keydown"]) root.addEventListener(name, () => this.wake());
  }

  private draw(): void {
    const { video, root } = this;
    const paused = video.paused || video.ended;
    root.classList.toggle("paused", paused);
    root.classList.toggle("begun", video.played.length > 0 || video.currentTime > 0);
    this.label(this.playButton, video.ended ? "replay" : paused ? "play" : "pause", video.ended ? "Play again" : paused ? "Play" : "Pause");
    const silent = video.muted || video.volume === 0;
    this.label(this.muteButton, silent ? "muted" : "loud", silent ? "Sound on" : "Sound off");
    this.time.textContent = `${clock(video.currentTime)} / ${clock(video.duration)}`;
  }

  private label(button: HTMLButtonElement, name: Parameters<typeof icon>[0], text: string): void {
    if (button.getAttribute("aria-label") === text) return;
    button.setAttribute("aria-label", text);
    button.title = text;
    fill(button, icon(name));
  }

  private toggle(): void {
    if (this.video.paused || this.video.ended) this.play();
    else this.video.pause();
  }

  private play(): void {
    this.video.play().catch((error: unknown) => {
      if (error instanceof DOMException && error.name === "AbortError") return; // another seek or load came first
      if (error instanceof DOMException && error.name === "NotAllowedError") this.bigButton.focus();
    });
  }

  private mute(): void {
    this.video.muted = !this.video.muted;
  }

  private expand(): void {
    const video = this.video as HTMLVideoElement & { webkitEnterFullscreen?: () => void };
    if (document.fullscreenElement) void document.exitFullscreen();
    else if (this.root.requestFullscreen) void this.root.requestFullscreen();
    else video.webkitEnterFullscreen?.();
  }

  private key(event: KeyboardEvent): void {
    const from = event.target as HTMLElement;
    if (event.ctrlKey || event.metaKey || event.altKey || from.matches("select")) return;
    const { video } = this;
    const actions: Record<string, () => void> = {
      k: () => this.toggle(),
      m: () => this.mute(),
      f: () => this.expand(),
      c: () => this.captions.toggle(),
      ArrowLeft: () => (video.currentTime = Math.max(0, video.currentTime - SKIP)),
      ArrowRight: () => (video.currentTime = Math.min(video.duration || 0, video.currentTime + SKIP)),
    };
    if (!from.matches("button")) actions[" "] = () => this.toggle();
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  private wake(): void {
    this.root.classList.remove("idle");
    clearTimeout(this.idleTimer);
    this.idleTimer = window.setTimeout(() => this.root.classList.add("idle"), IDLE_AFTER);
  }

  private fail(sentence: string, source: PlayerSource): void {
    const at = this.video.currentTime;
    const again = element("button", { type: "button", click: () => void this.load(source, at) }, "Try again");
    fill(this.message, element("p", {}, sentence), again);
    this.message.hidden = false;
  }
}
