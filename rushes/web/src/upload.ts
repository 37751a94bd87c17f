/** The upload page. */

import { Card } from "./card";
import { element, fill, required } from "./element";
import { askForKey } from "./key";
import { Queue } from "./queue";
import { Recent } from "./recent";
import { type Unfinished, unfinishedUploads } from "./transfer";
import { bytes } from "./words";

const CONNECTIONS = 4; // of the six that a browser has for a server by HTTP/1.1: the page asks for more than uploads

const chooser = required<HTMLInputElement>("#files");
const zone = required("#drop");
const uploads = required("#uploads");
const earlier = required("#unfinished");
const keyPlace = required("#key");

const queue = new Queue(CONNECTIONS);
const cards: Card[] = [];
const pendingKey: Array<() => void> = [];

function needsKey(proceed: () => void): void {
  pendingKey.push(proceed);
  if (keyPlace.hidden) askForKey(keyPlace, () => pendingKey.splice(0).forEach((go) => go()));
}

const recent = new Recent(required("#recent"), needsKey);

function add(files: Iterable<File>): void {
  for (const file of files) {
    const card = new Card(file, { queue, needsKey, changed: () => recent.refreshSoon(), removed: () => (uploads.hidden = !uploads.childElementCount) });
    cards.push(card);
    uploads.prepend(card.root);
  }
  uploads.hidden = uploads.childElementCount === 0;
  fill(earlier); // the chosen files may be those; what is left is shown at the next visit
}

function row(upload: Unfinished): HTMLLIElement {
  const discard = element("button", { type: "button" }, "Discard");
  const line = element("li", {}, element("span", { class: "name" }, upload.name), element("span", { class: "hint" }, bytes(upload.size)), discard);
  discard.addEventListener("click", () => {
    line.remove();
    if (!earlier.querySelector("li")) fill(earlier);
    upload.discard().catch(() => undefined); // the server forgets unfinished uploads by itself
  });
  return line;
}

async function showUnfinished(): Promise<void> {
  const found = await unfinishedUploads(Date.now());
  if (found.length === 0) return;
  const choose = element("button", { type: "button", class: "primary", click: () => chooser.click() }, "Choose the file again");
  const text = "These uploads are not complete. Choose the same file again and it goes on where it stopped.";
  fill(earlier, element("div", { class: "panel" }, element("h2", {}, "Unfinished"), element("p", {}, text), element("ul", { class: "rows" }, ...found.map(row)), choose));
}

function listenForDrops(): void {
  let depth = 0; // dragenter and dragleave also fire for what lies inside
  const mark = (change: number) => zone.classList.toggle("over", (depth = Math.max(0, depth + change)) > 0);
  window.addEventListener("dragover", (event) => event.preventDefault());
  window.addEventListener("dragenter", () => mark(1));
  window.addEventListener("dragleave", () => mark(-1));
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(-depth);
    add(event.dataTransfer?.files ?? []);
  });
}

chooser.addEventListener("change", () => {
  add([...(chooser.files ?? [])]);
  chooser.value = "";
});
window.addEventListener("beforeunload", (event) => {
  if (cards.some((card) => card.isSending && card.root.isConnected)) event.preventDefault();
});
listenForDrops();
void showUnfinished();
void recent.refresh();
