/** Lets a few uploads run at a time; the others wait for their turn. Pure. */

export class Queue {
  private readonly waiting: Array<() => void> = [];
  private running = 0;

  constructor(private readonly limit: number) {}

  /** Calls `begin` when there is room. The answer gives the place back, once, whether it had begun or not. */
  enter(begin: () => void): () => void {
    let state: "waiting" | "running" | "left" = "waiting";
    const start = () => {
      state = "running";
      this.running += 1;
      begin();
    };
    const leave = () => {
      if (state === "waiting") this.waiting.splice(this.waiting.indexOf(start), 1);
      if (state === "running") this.running -= 1;
      state = "left";
      this.advance();
    };
    this.waiting.push(start);
    this.advance();
    return leave;
  }

  private advance(): void {
    while (this.running < this.limit) {
      const next = this.waiting.shift();
      if (!next) return;
      next();
    }
  }
}
