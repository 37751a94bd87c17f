/** The operations page: pools, their backlog in seconds of work, workers and what they do. Read again every second. */

import { ApiError, type Fleet, getFleet, type Pool, type Worker } from "./api";
import { type Child, element, fill, required } from "./element";
import { askForKey } from "./key";
import { span } from "./words";

const EVERY = 1000;
const place = required("#fleet");
const notice = required("#notice");
let drawn = "";

function tile(pool: Pool): HTMLElement {
  const counts = `${pool.running} running · ${pool.ready} ready · ${pool.waiting} waiting`;
  const tone = pool.backlog_seconds > 0 || pool.running > 0 ? " busy" : "";
  const hands = pool.workers > 0 ? `${pool.workers} worker${pool.workers === 1 ? "" : "s"} · ${pool.cores} cores` : "no worker";
  const oldest = pool.oldest_ready_seconds >= 1 && `the oldest waits for ${span(pool.oldest_ready_seconds)}`;
  return element("li", { class: `panel pool${tone}` }, element("h3", {}, pool.pool), element("strong", {}, doing(pool)), element("span", { class: "hint" }, counts), element("span", { class: "hint" }, hands), oldest && element("span", { class: "hint" }, oldest));
}

/** What a pool is about, and for how long. */
function doing(pool: Pool): string {
  if (pool.paused) return pool.reason ? `paused: ${pool.reason}` : "paused";
  if (pool.ready > 0 && pool.workers === 0) return "waits for a worker";
  if (pool.backlog_seconds >= 1) return `done in ${span(pool.backlog_seconds)}`;
  return pool.running > 0 ? "at work" : "idle";
}

/** `asset/step.key` as the fleet names it. */
function stepLink(step: string): HTMLElement {
  const [asset = "", key = ""] = step.split("/");
  return element("a", { href: `/watch/${encodeURIComponent(asset)}`, title: asset }, `${key} of …${asset.slice(-6)}`);
}

function row(worker: Worker): HTMLTableRowElement {
  const steps = worker.steps.flatMap((step, index) => [index > 0 && element("br"), stepLink(step)]);
  const state = worker.reason ? `${worker.state}: ${worker.reason}` : worker.state;
  const speed = worker.speed > 0 ? `${worker.speed.toFixed(2)}×` : "";
  const busy = `${worker.steps.length} of ${worker.slots}`;
  const cells: Child[][] = [[worker.id], [state], [worker.pools.join(", ")], [busy], [speed], [since(worker)], steps];
  return element("tr", {}, ...cells.map((cell) => element("td", {}, ...cell)));
}

function since(worker: Worker): string {
  return span(Math.max(1, (Date.parse(worker.seen_at) - Date.parse(worker.started_at)) / 1000));
}

function workersTable(workers: Worker[]): HTMLElement {
  const heads = ["Worker", "State", "Pools", "Busy", "Speed", "Up for", "Steps"].map((name) => element("th", { scope: "col" }, name));
  const rows = workers.map(row);
  const table = element("table", {}, element("caption", {}, "Workers"), element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows));
  return element("section", { class: "panel" }, element("h2", {}, "Workers"), rows.length ? element("div", { class: "scroll" }, table) : element("p", {}, "No worker is running. Uploads wait until one is started."));
}

function draw(fleet: Fleet): void {
  const drawing = JSON.stringify(fleet);
  if (drawing === drawn) return;
  drawn = drawing;
  fill(place, element("ul", { class: "pools" }, ...fleet.pools.map(tile)), workersTable(fleet.workers));
}

async function look(): Promise<void> {
  try {
    if (!document.hidden) draw(await getFleet());
    notice.hidden = true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    notice.textContent = error.message;
    notice.hidden = false;
    if (error.needsKey) return askForKey(required("#key"), () => void look());
  }
  setTimeout(() => void look(), EVERY);
}

void look();
