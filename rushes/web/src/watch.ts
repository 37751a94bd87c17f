/** The watch page: the player and everything that is known of one video, kept up to date while it is processed. */

import { ApiError, getAsset } from "./api";
import { type Asset, titleOf } from "./asset";
import { Checklist } from "./checklist";
import { facts, sections } from "./details";
import { element, fill, required } from "./element";
import { Follower } from "./events";
import { askForKey } from "./key";
import { showLinks } from "./links";
import { type Description, getDescription, sourceOfDescription } from "./playback";
import { Player, type PlayerSource, sourceOf } from "./player";
import { transcriptSection } from "./transcript";
import { badge, stateSentence } from "./words";

const id = decodeURIComponent(location.pathname.split("/").filter(Boolean).at(-1) ?? "");
const stage = required("#stage");
const title = required("#title");
const chip = required("#state");
const notice = required("#notice");
const checklist = new Checklist();

let player: Player | null = null;
let transcriptOf = "";

const seek = (time: number) => player?.seek(time);

function say(sentence: string): void {
  notice.textContent = sentence;
  notice.hidden = sentence === "";
}

function sayOnStage(sentence: string): void {
  say("");
  if (!player) fill(stage, element("div", { class: "curtain" }, element("p", { role: "status" }, sentence)));
}

function play(source: PlayerSource): void {
  player ??= new Player();
  if (!player.root.isConnected) fill(stage, player.root);
  player.update(source);
}

function showTranscript(asset: Asset): void {
  const { transcript } = asset;
  const mark = JSON.stringify(transcript ?? null);
  if (!transcript || !player || mark === transcriptOf) return;
  transcriptOf = mark;
  transcriptSection(transcript, player.video, seek)
    .then((section) => fill(required("#transcript"), section))
    .catch((error: unknown) => fill(required("#transcript"), error instanceof ApiError ? `Transcript: ${error.message}` : null));
}

function show(asset: Asset): void {
  const { text, tone } = badge(asset);
  title.textContent = titleOf(asset);
  document.title = `${titleOf(asset)} · rushes`;
  chip.textContent = text;
  chip.className = `badge ${tone}`;
  required("#facts").textContent = facts(asset);
  const source = sourceOf(asset);
  if (source) {
    play(source);
    say(stateSentence(asset));
  } else {
    sayOnStage(stateSentence(asset) || "This video cannot be played yet.");
  }
  fill(required("#details"), ...sections(asset, seek));
  showLinks(required("#links"), asset, false);
  showTranscript(asset);
}

function keepUpToDate(first: Asset): void {
  let latest = first;
  new Follower(id, {
    asset: (asset) => {
      latest = asset;
      show(asset);
    },
    steps: (steps) => checklist.show(steps),
    problem: (error) => (error ? say(error.message) : show(latest)),
  });
}

/** Without a key the catalog is closed, but what is published can be played by everybody. */
async function playPublic(): Promise<boolean> {
  const found = await getDescription(id, null).catch((): Description | null => null);
  if (!found) return false;
  const source = sourceOfDescription(found, null);
  title.textContent = source.title;
  document.title = `${source.title} · rushes`;
  play(source);
  return true;
}

async function begin(): Promise<void> {
  sayOnStage("Loading …");
  try {
    const asset = await getAsset(id);
    show(asset);
    checklist.show(asset.steps ?? []);
    if (asset.state !== "failed" && asset.state !== "deleted") keepUpToDate(asset);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.needsKey && (await playPublic())) return;
    title.textContent = error.status === 404 ? "Not found" : "Not available";
    sayOnStage(error.status === 404 ? "There is no video at this address." : error.message);
    if (error.needsKey) askForKey(required("#key"), () => void begin());
  }
}

required("#steps").append(checklist.root);
void begin();
