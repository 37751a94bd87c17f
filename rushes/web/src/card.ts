/** One upload on the page: the transfer, then the processing, then the player, in one place. */

import type { ApiError } from "./api";
import { type Asset, titleOf } from "./asset";
import { Checklist } from "./checklist";
import { element, fill } from "./element";
import { Follower } from "./events";
import { showLinks } from "./links";
import { Meter } from "./meter";
import { Player, type PlayerSource, sourceOf } from "./player";
import type { Queue } from "./queue";
import { connections, Transfer } from "./transfer";
import { badge, bytes, percent, span, stateSentence } from "./words";

export interface CardHost {
  queue: Queue;
  /** Something about an asset changed: the list of videos should look again. */
  changed(): void;
  /** The server wants a key; `proceed` goes on with it. */
  needsKey(proceed: () => void): void;
  removed(): void;
}

type State = "waiting" | "sending" | "reconnecting" | "paused" | "stopped" | "processing";

export class Card {
  readonly root: HTMLElement;
  private readonly transfer: Transfer;
  private readonly meter = new Meter();
  private readonly checklist = new Checklist();
  private readonly bar = element("progress", { max: 1, value: 0, "aria-label": "Uploaded" });
  private readonly status = element("p", { class: "status", role: "status" });
  private readonly chip = element("span", { class: "badge" });
  private readonly heading: HTMLElement;
  private readonly buttons = element("div", { class: "row" });
  private readonly stage = element("div", { class: "stage" });
  private readonly links = element("ul", { class: "links", hidden: true });
  private state: State = "waiting";
  private player: Player | null = null;
  private leave: () => void = () => undefined;
  private sent = 0;
  private latest: Asset | null = null;

  constructor(
    private readonly file: File,
    private readonly host: CardHost,
  ) {
    const title = file.name.replace(/\.[^.]{1,5}$/, "") || file.name;
    this.heading = element("h3", {}, title);
    const head = element("div", { class: "head" }, this.heading, this.chip);
    this.root = element("article", { class: "panel card", "aria-label": title }, head, this.bar, this.status, this.buttons, this.checklist.root, this.stage, this.links);
    this.transfer = new Transfer(file, title, {
      sent: (count) => this.progress(count),
      waiting: () => this.enter("reconnecting"),
      finished: (asset) => this.process(asset),
      failed: (sentence, status) => this.stop(sentence, status),
    });
    this.queueUp();
  }

  get isSending(): boolean {
    return this.state === "sending" || this.state === "reconnecting";
  }

  private queueUp(): void {
    this.enter("waiting");
    this.leave = this.host.queue.enter(() => {
      this.meter.reset();
      this.enter("sending");
      void this.transfer.start();
    }, connections(this.file));
  }

  private progress(count: number): void {
    this.sent = count;
    this.meter.add(count, performance.now() / 1000);
    this.bar.value = this.file.size ? count / this.file.size : 1;
    if (this.state === "reconnecting") this.enter("sending");
    if (this.state === "sending") this.status.textContent = this.sending();
  }

  private sending(): string {
    const share = this.file.size ? this.sent / this.file.size : 1;
    const parts = [`${percent(share)} of ${bytes(this.file.size)}`];
    const left = this.meter.remaining(this.file.size);
    if (this.meter.rate > 0) parts.push(`${bytes(this.meter.rate)}/s`);
    if (left !== null && left > 1) parts.push(`about ${span(left)} left`);
    return parts.join(" · ");
  }

  private enter(state: State): void {
    this.state = state;
    const sentences: Partial<Record<State, string>> = {
      waiting: `Waiting for its turn · ${bytes(this.file.size)}`,
      sending: this.sending(),
      reconnecting: "The connection was cut. Trying again; nothing is lost.",
      paused: `Paused at ${percent(this.file.size ? this.sent / this.file.size : 0)} of ${bytes(this.file.size)}`,
      processing: "Uploaded. Processing begins.",
    };
    const sentence = sentences[state];
    if (sentence !== undefined) this.status.textContent = sentence;
    const chips: Record<State, [string, string]> = {
      waiting: ["Waiting", "quiet"],
      sending: ["Uploading", "busy"],
      reconnecting: ["Reconnecting", "warn"],
      paused: ["Paused", "warn"],
      stopped: ["Stopped", "bad"],
      processing: ["Processing", "busy"],
    };
    this.tag(...chips[state]);
    this.root.dataset["state"] = state;
    this.offer(state);
  }

  private tag(text: string, tone: string): void {
    this.chip.textContent = text;
    this.chip.className = `badge ${tone}`;
  }

  private offer(state: State): void {
    const button = (text: string, click: () => void) => element("button", { type: "button", click }, text);
    const pausable = state === "sending" || state === "reconnecting" || state === "waiting";
    fill(
      this.buttons,
      pausable && button("Pause", () => void this.pause()),
      state === "paused" && button("Resume", () => this.queueUp()),
      state === "stopped" && button("Try again", () => this.queueUp()),
      state !== "processing" && button("Cancel", () => void this.cancel()),
    );
  }

  private async pause(): Promise<void> {
    this.enter("paused");
    await this.transfer.pause();
    this.leave();
  }

  private async cancel(): Promise<void> {
    this.leave();
    this.root.remove();
    this.host.removed();
    await this.transfer.cancel().catch(() => undefined); // the server forgets unfinished uploads by itself
    this.host.changed();
  }

  private stop(sentence: string, status: number): void {
    this.leave();
    this.status.textContent = sentence;
    this.enter("stopped");
    if (status === 401) this.host.needsKey(() => this.queueUp());
  }

  private process(asset: string): void {
    this.leave();
    this.bar.hidden = true;
    this.enter("processing");
    this.host.changed();
    if (!asset) {
      this.status.textContent = "Uploaded. You find the video in the list below.";
      return;
    }
    new Follower(asset, {
      asset: (found) => this.show(found),
      steps: (steps) => this.checklist.show(steps),
      problem: (error) => this.trouble(error),
    });
  }

  private trouble(error: ApiError | null): void {
    if (error) this.status.textContent = error.message;
    else if (this.latest) this.show(this.latest);
  }

  private show(asset: Asset): void {
    this.latest = asset;
    const { text, tone } = badge(asset);
    this.tag(text, tone);
    this.root.dataset["state"] = asset.state;
    this.heading.textContent = titleOf(asset);
    this.status.textContent = stateSentence(asset);
    this.status.classList.toggle("bad", asset.state === "failed");
    showLinks(this.links, asset, true);
    const source = sourceOf(asset);
    if (source) this.play(source);
    this.host.changed();
  }

  private play(source: PlayerSource): void {
    this.player ??= new Player();
    if (!this.player.root.isConnected) fill(this.stage, this.player.root);
    this.player.update(source);
  }
}
