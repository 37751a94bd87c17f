/** The list of an asset's steps, with a bar for the whole. It goes once all is done. */

import type { Step } from "./asset";
import { element, fill } from "./element";
import { allWell, type Line, lines, overall } from "./steps";
import { percent } from "./words";

const STATES: Record<Line["state"], string> = { waiting: "waiting", running: "running", done: "done", skipped: "skipped", failed: "failed" };

function row(line: Line): HTMLLIElement {
  const detail = line.state === "running" && line.progress > 0 && line.measured ? percent(line.progress) : line.note || (line.state === "skipped" ? "left out" : "");
  return element(
    "li",
    { class: line.state },
    element("span", { class: "mark", role: "img", "aria-label": STATES[line.state] }),
    element("span", { class: "name" }, line.name),
    element("span", { class: "detail", title: detail }, detail),
  );
}

export class Checklist {
  private readonly bar = element("progress", { max: 1, value: 0, "aria-label": "Processing" });
  private readonly list = element("ul", {});
  readonly root = element("div", { class: "checklist", hidden: true }, this.bar, this.list);

  show(steps: Step[]): void {
    this.root.hidden = allWell(steps);
    this.bar.hidden = steps.some((step) => step.state === "failed" && step.required !== false);
    this.bar.value = overall(steps);
    fill(this.list, ...lines(steps).map(row));
  }
}
