/** The steps of an asset, gathered by kind into lines that a creator understands. Pure. */

import type { Step } from "./asset";

const NAMES: Record<string, string> = {
  probe: "Reading the file",
  checksum: "Taking its fingerprint",
  analyze: "Looking at what it needs",
  remux: "Making a first version to play",
  encode: "Encoding every quality",
  correct: "Encoding again what missed its aim",
  audio: "Encoding the sound",
  package: "Preparing the streams",
  verdict: "Applying the policy",
  publish: "Publishing",
  poster: "Choosing a poster",
  storyboard: "Drawing the storyboard",
  download: "Preparing the download",
  transcript: "Writing the transcript",
  labels: "Looking at the pictures",
  cleanup: "Tidying up",
};
const ORDER = Object.keys(NAMES);
const WEIGHTS: Record<string, number> = { encode: 12, audio: 2, transcript: 3, remux: 2 };

export type LineState = "waiting" | "running" | "done" | "skipped" | "failed";

export interface Line {
  kind: string;
  name: string;
  state: LineState;
  progress: number;
  /** A step has said how far it is; else the progress only counts steps. */
  measured: boolean;
  note: string;
}

const FINAL = new Set(["done", "skipped", "failed", "cancelled"]);

/** Nothing will happen by itself any more, and nothing went wrong. */
export function allWell(steps: Step[]): boolean {
  return steps.every((step) => step.state === "done" || step.state === "skipped");
}

function lineState(steps: Step[]): LineState {
  const has = (...states: string[]) => steps.some((step) => states.includes(step.state));
  if (has("failed")) return "failed";
  if (has("running")) return "running";
  if (steps.every((step) => step.state === "skipped" || step.state === "cancelled")) return "skipped";
  if (steps.every((step) => FINAL.has(step.state))) return "done";
  return "waiting";
}

function stepProgress(step: Step): number {
  return FINAL.has(step.state) ? 1 : Math.min(1, Math.max(0, step.progress || 0));
}

function line(kind: string, steps: Step[]): Line {
  const state = lineState(steps);
  const progress = steps.reduce((sum, step) => sum + stepProgress(step), 0) / steps.length;
  const reason = steps.find((step) => step.reason)?.reason?.message ?? "";
  const retried = steps.some((step) => (step.attempts ?? 0) > 1 && !FINAL.has(step.state));
  const note = state === "failed" || state === "skipped" ? reason : retried ? "trying again" : "";
  const measured = steps.some((step) => step.state === "running" && step.progress > 0);
  return { kind, name: NAMES[kind] ?? kind, state, progress, measured, note };
}

/** One line per kind, in the order in which the work is done; kinds that are not known come last. */
export function lines(steps: Step[]): Line[] {
  const kinds = [...new Set(steps.map((step) => step.kind))];
  const rank = (kind: string) => (ORDER.includes(kind) ? ORDER.indexOf(kind) : ORDER.length);
  kinds.sort((one, other) => rank(one) - rank(other));
  return kinds.map((kind) => line(kind, steps.filter((step) => step.kind === kind)));
}

/** From 0 to 1, weighted by what usually takes long. */
export function overall(steps: Step[]): number {
  const weight = (step: Step) => WEIGHTS[step.kind] ?? 1;
  const whole = steps.reduce((sum, step) => sum + weight(step), 0);
  const done = steps.reduce((sum, step) => sum + weight(step) * stepProgress(step), 0);
  return whole ? done / whole : 0;
}
