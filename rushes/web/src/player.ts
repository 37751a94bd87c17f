/** The player: a video element with controls of our own. `window.rushesPlayer` gives tests and extensions a handle. */

import type Hls from "hls.js";
import { type Asset, playbackOf, titleOf } from "./asset";
import { CaptionControl } from "./captions";
import { element, fill, icon, safeUrl } from "./element";
import { Menu } from "./menu";
import { beaconOf, tellOfPlay } from "./plays";
import { QualityControl } from "./quality";
import { Seekbar } from "./seekbar";
import { SpeedControl } from "./speed";
import { open } from "./stream";
import { paint } from "./thumbhash";
import { NO_WISHES, type Wishes } from "./wishes";
import { clock } from "./words";

declare global {
  interface Window {
    rushesPlayer?: { hls: Hls | null; video: HTMLVideoElement };
  }
}

export interface PlayerSource {
  asset: string;
  hls: string;
  poster: string | null;
  thumbhash: string | null;
  storyboard: string | null;
  title: string;
  /** CSS aspect ratio to keep free until the video says its own. */
  shape: string | null;
  /** Rises when there are new manifests behind the same address. */
  build: number;
  /** Where it is told that somebody of the public watches. */
  beacon: string | null;
  /** Where the browser asks for the keys of encrypted samples (W3C EME, ClearKey). */
  clearkey: string | null;
}

/** What there is to play of an asset; null while there is nothing. */
export function sourceOf(asset: Asset): PlayerSource | null {
  const { hls, poster, thumbhash, storyboard, clearkey } = playbackOf(asset);
  const { display_width: width, display_height: height } = asset.source ?? {};
  const gone = asset.state === "failed" || asset.state === "deleted";
  if (!hls || gone) return null;
  const shape = width && height ? `${width} / ${height}` : null;
  const beacon = asset.playback?.hls && !asset.playback.private ? beaconOf(asset.id, null) : null;
  return { asset: asset.id, hls, poster, thumbhash, storyboard, title: titleOf(asset), shape, build: asset.build ?? 0, beacon, clearkey: clearkey ?? null };
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
  private readonly speed: SpeedControl;
  private readonly captions: CaptionControl;
  private readonly placeholder = element("canvas", { class: "placeholder", "aria-hidden": "true" });
  private readonly time = element("span", { class: "time" }, "0:00 / 0:00");
  private readonly playButton = element("button", { type: "button", class: "icon", click: () => this.toggle() });
  private readonly muteButton = element("button", { type: "button", class: "icon", click: () => this.mute() });
  private readonly bigButton = element("button", { type: "button", class: "big", "aria-label": "Play", click: () => this.toggle() });
  private readonly message = element("div", { class: "message", role: "alert", hidden: true });
  private readonly newer = element("button", { type: "button", class: "newer", hidden: true }, "Switch to the better version");
  private idleTimer = 0;
  private loaded: PlayerSource | null = null;

  constructor(private readonly wishes: Wishes = NO_WISHES) {
    const { muted, loop } = wishes;
    this.video = element("video", { playsinline: true, preload: "metadata", tabindex: "-1", loop });
    this.video.muted = muted;
    this.seekbar = new Seekbar(this.video);
    this.speed = new SpeedControl(this.video);
    this.captions = new CaptionControl(this.video, wishes.captions);
    this.root = element("div", { class: "player paused", role: "region", tabindex: "0" });
    this.root.append(this.placeholder, this.video, this.bigButton, this.newer, ...this.bar(), this.message);
    this.bigButton.append(icon("play"));
    this.listen();
    this.draw();
  }

  /** Plays this from now on, but interrupts nobody: once somebody has begun to watch, a newer build is only offered. */
  update(source: PlayerSource): void {
    const { video, loaded } = this;
    if (loaded && source.build <= loaded.build) return; // the addresses of previews change by themselves
    if (!loaded) return void this.begin(source);
    if (video.paused && video.currentTime < 0.1) return void this.load(source);
    this.newer.hidden = false;
    this.newer.onclick = () => {
      const resume = !video.paused;
      void this.load(source, video.currentTime).then(() => resume && this.play());
    };
  }

  private async begin(source: PlayerSource): Promise<void> {
    if (source.beacon) tellOfPlay(this.video, source.beacon);
    await this.load(source, this.wishes.start || -1);
    if (this.wishes.autoplay) await this.video.play().catch(() => undefined); // where it is not allowed, there is the button
  }

  private async load(source: PlayerSource, start = -1): Promise<void> {
    this.loaded = source;
    this.newer.hidden = true;
    this.root.setAttribute("aria-label", `Player: ${source.title}`);
    if (source.thumbhash) paint(this.placeholder, source.thumbhash);
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
    this.hls = await open(this.video, addressOf(source), listener, start, source);
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

  /** The bar of controls, and the panel that belongs to it. */
  private bar(): HTMLElement[] {
    const full = element("button", { type: "button", class: "icon", "aria-label": "Full screen", title: "Full screen", click: () => this.expand() }, icon("expand"));
    const menu = new Menu(this.root, [["Quality", this.quality.root], ["Speed", this.speed.root], ["Captions", this.captions.menu]]);
    const row = element("div", { class: "controls" }, this.playButton, this.muteButton, this.time);
    row.append(element("span", { class: "gap" }), this.captions.root, menu.button, full);
    return [element("div", { class: "bar" }, this.seekbar.root, row), menu.panel];
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
    video.addEventListener("loadeddata", () => (this.placeholder.hidden = true));
    this.followPointer();
    root.addEventListener("keydown", (event) => this.key(event));
    for (const name of ["pointermove", "pointerdown", "focusin", "keydown"]) root.addEventListener(name, () => this.wake());
  }

  /** A click plays or pauses. The first touch only shows the controls: there is no way to point without touching. */
  private followPointer(): void {
    let asleep = false;
    this.video.addEventListener("pointerdown", ({ pointerType }) => (asleep = pointerType === "touch" && this.isIdle));
    this.video.addEventListener("click", () => asleep || this.toggle());
  }

  private get isIdle(): boolean {
    return this.root.classList.contains("idle") && !this.video.paused;
  }

  private draw(): void {
    const { video, root } = this;
    const paused = video.paused || video.ended;
    root.classList.toggle("paused", paused);
    root.classList.toggle("begun", video.played.length > 0);
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
      "<": () => this.speed.step(-1),
      ">": () => this.speed.step(1),
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
