/** The watch page: the player and everything that is known of one video, kept up to date while it is processed. */

import { ApiError, getAsset, request } from "./api";
import { type Asset, playbackOf, titleOf } from "./asset";
import { Checklist } from "./checklist";
import { facts, sections } from "./details";
import { element, fill, required } from "./element";
import { Follower } from "./events";
import { askForKey } from "./key";
import { showLinks } from "./links";
import { Player } from "./player";
import { transcriptSection } from "./transcript";
import { badge, stateSentence } from "./words";

const id = decodeURIComponent(location.pathname.split("/").filter(Boolean).at(-1) ?? "");
const stage = required("#stage");
const title = required("#title");
const chip = required("#state");
const notice = required("#notice");
const newer = required("#newer");
const checklist = new Checklist();

let player: Player | null = null;
let loadedBuild = 0;
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

function load(asset: Asset, hls: string): void {
  const { poster, storyboard } = playbackOf(asset);
  const at = player ? player.video.currentTime : -1;
  const resume = player !== null && !player.video.paused;
  player ??= new Player();
  if (!player.root.isConnected) fill(stage, player.root);
  loadedBuild = asset.build ?? 0;
  newer.hidden = true;
  void player.load({ hls, poster, storyboard, title: titleOf(asset) }, at).then(() => resume && seek(at));
}

/** A newer build never interrupts: before the first second it is simply taken, later it is offered. */
function offer(asset: Asset, hls: string): void {
  if (player && (asset.build ?? 0) <= loadedBuild) return; // addresses of previews change by themselves
  if (!player || player.video.currentTime < 0.1) return load(asset, hls);
  fill(newer, "A better version is ready. ", element("button", { type: "button", class: "small", click: () => load(asset, hls) }, "Switch to it"));
  newer.hidden = false;
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
  const { hls } = playbackOf(asset);
  const gone = asset.state === "failed" || asset.state === "deleted";
  if (hls && !gone) {
    offer(asset, hls);
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
  const hls = `/media/${encodeURIComponent(id)}/master.m3u8`;
  const found = await request(hls, { method: "HEAD" }).then(() => true, () => false);
  if (found) {
    title.textContent = "Video";
    load({ id, title: "Video", state: "ready", publication: "published" }, hls);
  }
  return found;
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
