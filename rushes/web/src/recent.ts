/** The newest videos. Looks again when told that something changed. */

import { ApiError, listAssets } from "./api";
import { type Asset, durationOf, isSettled, playbackOf, titleOf } from "./asset";
import { element, fill, icon } from "./element";
import { ago, badge, clock } from "./words";

const PAGE = 12;
const REFRESH = 4000;

/** Addresses of private previews carry a token that changes; the picture does not. */
function picture(asset: Asset): boolean {
  return playbackOf(asset).poster !== null;
}

function tile(asset: Asset): HTMLLIElement {
  const { text, tone } = badge(asset);
  const { poster } = playbackOf(asset);
  const duration = durationOf(asset);
  const thumb = element(
    "div",
    { class: "thumb" },
    poster ? element("img", { src: poster, alt: "", loading: "lazy" }) : icon("play"),
    duration !== null && element("span", { class: "length" }, clock(duration)),
  );
  const title = element("span", { class: "title", title: titleOf(asset) }, titleOf(asset));
  const under = element("span", { class: "under" }, element("span", { class: `badge ${tone}` }, text), asset.created_at ? ago(asset.created_at, Date.now()) : "");
  return element("li", {}, element("a", { href: `/watch/${encodeURIComponent(asset.id)}` }, thumb, title, under));
}

export class Recent {
  private assets: Asset[] = [];
  private next: string | null = null;
  private shown = "";
  private timer = 0;
  private readonly list = element("ul", { class: "tiles" });
  private readonly more = element("button", { type: "button", hidden: true, click: () => void this.extend() }, "Show more");
  private readonly note = element("p", { class: "hint", role: "status" });

  constructor(
    place: HTMLElement,
    private readonly needsKey: (proceed: () => void) => void,
  ) {
    fill(place, this.note, this.list, this.more);
  }

  /** Reads the newest page. Called often, it asks the server at most every few seconds. */
  refreshSoon(): void {
    if (!this.timer) this.timer = window.setTimeout(() => void this.refresh(), 400);
  }

  async refresh(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = 0;
    await this.guarded(async () => {
      const page = await listAssets(null, PAGE);
      const fresh = new Set(page.items.map((asset) => asset.id));
      const oldest = page.items.at(-1)?.id ?? "";
      const older = page.next === null ? [] : this.assets.filter((asset) => !fresh.has(asset.id) && asset.id < oldest);
      if (older.length === 0) this.next = page.next;
      this.assets = [...page.items, ...older];
      this.draw();
    });
    if (this.assets.some((asset) => !isSettled(asset))) this.timer = window.setTimeout(() => void this.refresh(), REFRESH);
  }

  private async extend(): Promise<void> {
    await this.guarded(async () => {
      const page = await listAssets(this.next, PAGE);
      this.next = page.next;
      this.assets.push(...page.items);
      this.draw();
    });
  }

  private draw(): void {
    const wanted = this.assets.filter((asset) => asset.state !== "deleted");
    this.note.textContent = wanted.length ? "" : "No videos yet. The first one you upload appears here.";
    this.more.hidden = this.next === null;
    const drawing = JSON.stringify(wanted.map((asset) => [asset.id, titleOf(asset), badge(asset), picture(asset), durationOf(asset)]));
    if (drawing === this.shown) return; // keeps focus and pictures while nothing changes
    this.shown = drawing;
    fill(this.list, ...wanted.map(tile));
  }

  private async guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.note.textContent = error.message;
      if (error.needsKey) this.needsKey(() => void this.refresh());
    }
  }
}
