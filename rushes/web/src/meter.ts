/** The rate of a transfer over the last few seconds. Pure: times are given, in seconds. */

const WINDOW = 6;

export class Meter {
  private samples: Array<{ at: number; sent: number }> = [];

  add(sent: number, at: number): void {
    const last = this.samples.at(-1);
    if (last && sent < last.sent) this.samples = []; // the server had less than we thought
    this.samples.push({ at, sent });
    while (this.samples.length > 2 && (this.samples[0]?.at ?? at) < at - WINDOW) this.samples.shift();
  }

  reset(): void {
    this.samples = [];
  }

  /** Bytes per second; 0 while there is too little to say. */
  get rate(): number {
    const [first, last] = [this.samples[0], this.samples.at(-1)];
    if (!first || !last || last.at - first.at < 0.3) return 0;
    return (last.sent - first.sent) / (last.at - first.at);
  }

  /** Seconds until `total` bytes are there; null while it cannot be said. */
  remaining(total: number): number | null {
    const last = this.samples.at(-1);
    return last && this.rate > 0 ? (total - last.sent) / this.rate : null;
  }
}
