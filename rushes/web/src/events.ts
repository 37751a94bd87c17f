/** Follows an asset over server-sent events; connects again after a cut. `fetch`, because EventSource sends no key. */

import { ApiError, request } from "./api";
import type { Asset, Step } from "./asset";
import { EventParser, type Message } from "./sse";

export interface Listener {
  asset(asset: Asset): void;
  steps(steps: Step[]): void;
  problem(error: ApiError | null): void;
}

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 10_000;
const LASTING = 5_000; // a stream that lived this long was no failure

export class Follower {
  private readonly abort = new AbortController();
  private lastId = "";
  private pause = FIRST_PAUSE;
  private over = false;

  constructor(
    private readonly id: string,
    private readonly listener: Listener,
  ) {
    void this.run();
  }

  stop(): void {
    this.abort.abort();
  }

  private async run(): Promise<void> {
    while (!this.abort.signal.aborted && !this.over) {
      const begun = Date.now();
      try {
        await this.read();
      } catch (error) {
        if (this.abort.signal.aborted) return;
        if (this.tell(error)) return;
      }
      if (Date.now() - begun > LASTING) this.pause = FIRST_PAUSE;
      if (!this.over) await this.wait();
    }
  }

  /** The stream until its end. */
  private async read(): Promise<void> {
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (this.lastId) headers["Last-Event-ID"] = this.lastId;
    const path = `/v1/assets/${encodeURIComponent(this.id)}/events`;
    const response = await request(path, { headers, cache: "no-store", signal: this.abort.signal });
    this.over = response.status === 204; // seen to its end already
    const parser = new EventParser();
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    this.listener.problem(null);
    for (let piece = await reader?.read(); piece && !piece.done; piece = await reader?.read()) {
      parser.feed(piece.value).forEach((message) => this.deliver(message));
      this.lastId = parser.lastId || this.lastId;
    }
  }

  private deliver(message: Message): void {
    if (message.event === "end") this.over = true;
    if (message.event !== "asset" && message.event !== "progress") return;
    const value = JSON.parse(message.data) as Asset; // `progress` is its steps alone
    if (message.event === "asset") this.listener.asset(value);
    this.listener.steps(value.steps ?? []);
  }

  /** True when there is no use in trying again. */
  private tell(error: unknown): boolean {
    const known = error instanceof ApiError ? error : new ApiError(0, "The connection was cut. Connecting again.");
    this.listener.problem(known);
    return known.status >= 400 && known.status < 500 && known.status !== 429;
  }

  private wait(): Promise<void> {
    const pause = this.pause;
    this.pause = Math.min(LONGEST_PAUSE, this.pause * 2);
    return new Promise((resolve) => setTimeout(resolve, pause));
  }
}
