/** Lets a few uploads run at a time; the others wait for their turn, in order. Pure. */

interface Entry {
  readonly places: number;
  start(): void;
}

export class Queue {
  private readonly waiting: Entry[] = [];
  private taken = 0;

  constructor(private readonly limit: number) {}

  /** Calls `begin` when there is room for `places`. The answer gives them back, once, whether it had begun or not. */
  enter(begin: () => void, places = 1): () => void {
    let state: "waiting" | "running" | "left" = "waiting";
    const entry: Entry = {
      places: Math.min(places, this.limit),
      start: () => {
        state = "running";
        this.taken += entry.places;
        begin();
      },
    };
    const leave = () => {
      if (state === "waiting") this.waiting.splice(this.waiting.indexOf(entry), 1);
      if (state === "running") this.taken -= entry.places;
      state = "left";
      this.advance();
    };
    this.waiting.push(entry);
    this.advance();
    return leave;
  }

  private advance(): void {
    for (let next = this.waiting[0]; next && this.taken + next.places <= this.limit; next = this.waiting[0]) {
      this.waiting.shift();
      next.start();
    }
  }
}
