/** The seek bar: a range input, what is buffered, and a preview from the storyboard under the pointer. */

import { fetched } from "./api";
import { element, safeUrl } from "./element";
import { indexAt, parseTiles, type Tile } from "./vtt";
import { clock } from "./words";

const PREVIEW_WIDTH = 160;

export class Seekbar {
  readonly root: HTMLElement;
  private readonly input: HTMLInputElement;
  private readonly picture = element("div", { class: "tile", hidden: true });
  private readonly stamp = element("span", {});
  private readonly preview: HTMLElement;
  private tiles: Tile[] = [];
  private dragging = false;

  constructor(private readonly video: HTMLVideoElement) {
    this.input = element("input", { type: "range", min: 0, max: 0, step: "any", value: 0, "aria-label": "Position" });
    this.preview = element("div", { class: "preview", hidden: true }, this.picture, this.stamp);
    this.root = element("div", { class: "seekbar" }, this.input, this.preview);
    this.input.addEventListener("input", () => this.seek());
    this.input.addEventListener("pointerdown", () => (this.dragging = true));
    for (const name of ["pointerup", "pointercancel"]) this.input.addEventListener(name, () => (this.dragging = false));
    this.root.addEventListener("pointermove", (event) => this.hover(event));
    this.root.addEventListener("pointerleave", () => (this.preview.hidden = true));
    for (const name of ["timeupdate", "durationchange", "progress", "seeked"]) video.addEventListener(name, () => this.draw());
  }

  async loadStoryboard(address: string): Promise<void> {
    const text = await (await fetched(address)).text();
    this.tiles = parseTiles(text, new URL(address, location.href).href);
  }

  private get duration(): number {
    return Number.isFinite(this.video.duration) ? this.video.duration : 0;
  }

  private seek(): void {
    this.video.currentTime = Number(this.input.value);
    this.draw();
  }

  private draw(): void {
    const { video, input, duration } = this;
    input.max = String(duration);
    if (!this.dragging) input.value = String(video.currentTime);
    input.setAttribute("aria-valuetext", `${clock(video.currentTime)} of ${clock(duration)}`);
    this.root.style.setProperty("--played", `${duration ? (Number(input.value) / duration) * 100 : 0}%`);
    this.root.style.setProperty("--buffered", `${duration ? (this.bufferedEnd() / duration) * 100 : 0}%`);
  }

  private bufferedEnd(): number {
    const { buffered, currentTime } = this.video;
    for (let index = 0; index < buffered.length; index += 1) {
      if (buffered.start(index) <= currentTime + 0.1 && currentTime <= buffered.end(index)) return buffered.end(index);
    }
    return currentTime;
  }

  private hover(event: PointerEvent): void {
    const box = this.input.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    const time = share * this.duration;
    this.stamp.textContent = clock(time);
    const most = Math.min(PREVIEW_WIDTH, box.width / 3, this.video.clientHeight * 0.4);
    this.show(this.tiles[Math.max(0, indexAt(this.tiles, time))], most);
    this.preview.hidden = this.duration === 0;
    const half = this.preview.offsetWidth / 2;
    this.preview.style.left = `${Math.min(box.width - half, Math.max(half, share * box.width))}px`;
  }

  private show(tile: Tile | undefined, width: number): void {
    this.picture.hidden = tile === undefined;
    if (!tile) return;
    const { style } = this.picture;
    style.width = `${tile.width}px`;
    style.height = `${tile.height}px`;
    style.backgroundImage = `url(${JSON.stringify(safeUrl(tile.url))})`;
    style.backgroundPosition = `-${tile.x}px -${tile.y}px`;
    style.setProperty("zoom", String(width / Math.max(tile.width, tile.height)));
  }
}
