// The pure parts of the pages. Run by tests/integration/web/test_typescript.py.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Asset } from "../../../rushes/web/src/asset";
import { playbackOf } from "../../../rushes/web/src/asset";
import { indexOfLanguage } from "../../../rushes/web/src/captions";
import { Meter } from "../../../rushes/web/src/meter";
import { Queue } from "../../../rushes/web/src/queue";
import { snippet } from "../../../rushes/web/src/snippet";
import { EventParser } from "../../../rushes/web/src/sse";
import { allWell, lines, overall } from "../../../rushes/web/src/steps";
import { decode } from "../../../rushes/web/src/thumbhash";
import { indexAt, parseTiles, parseVtt } from "../../../rushes/web/src/vtt";
import { badge, bitrate, bytes, clock, frameRate, percent, span, stateSentence } from "../../../rushes/web/src/words";
import { NO_WISHES, tokenOf, wishesOf } from "../../../rushes/web/src/wishes";

const asset = (changes: Partial<Asset>): Asset => ({ id: "a", state: "ready", publication: "published", ...changes });
const step = (kind: string, state: string, progress = 0) => ({ kind, state, progress });

test("numbers read well", () => {
  assert.deepEqual([0, 9.99, 61, 3599, 3661, NaN, -1].map(clock), ["0:00", "0:09", "1:01", "59:59", "1:01:01", "0:00", "0:00"]);
  assert.deepEqual([0, 999, 1000, 9_940, 9_960, 999_600, 4.2e9].map(bytes), ["0 B", "999 B", "1.0 kB", "9.9 kB", "10 kB", "1.0 MB", "4.2 GB"]);
  assert.equal(bitrate(2_400_000), "2.4 Mbit/s");
  assert.deepEqual([1, 9.2, 31, 50, 60, 3000, 3500, 90_000, 200_000].map(span), ["1 second", "10 seconds", "35 seconds", "1 minute", "1 minute", "50 minutes", "1 hour", "25 hours", "2 days"]);
  assert.deepEqual(["30000/1001", 25, "25/1", "0/0", 23.976].map(frameRate), ["29.97 fps", "25 fps", "25 fps", "", "23.98 fps"]);
  assert.deepEqual([-1, 0.999, 1, 2].map(percent), ["0 %", "99 %", "100 %", "100 %"]);
});

test("a state has one badge and one sentence", () => {
  assert.equal(badge(asset({ state: "failed", publication: "held" })).text, "Failed");
  assert.equal(badge(asset({ publication: "held" })).text, "In review");
  assert.equal(badge(asset({})).tone, "good");
  assert.equal(stateSentence(asset({})), "");
  assert.equal(stateSentence(asset({ state: "failed", reason: { code: "x", message: "Why." } })), "Why.");
  assert.match(stateSentence(asset({ state: "failed", reason: null })), /could not be processed/);
});

test("the private preview stands in for what is not public, or asks for a token", () => {
  const preview = { hls: "/p/m.m3u8", poster: "/p/p.jpg" };
  assert.equal(playbackOf(asset({ playback: { hls: null, private: preview } })).hls, "/p/m.m3u8");
  assert.equal(playbackOf(asset({ playback: { hls: "/m.m3u8", private: preview } })).hls, "/p/m.m3u8");
  assert.equal(playbackOf(asset({ playback: { hls: "/m.m3u8", private: null } })).poster, null);
  assert.equal(playbackOf(asset({ playback: null })).hls, null);
});

test("steps are gathered by kind, in the order of the work", () => {
  const all = [step("publish", "waiting"), step("package", "done"), step("package", "waiting"), step("odd", "running", 0.5), step("encode", "running", 0.4), step("probe", "done")];
  assert.deepEqual(lines(all).map(({ kind, state }) => [kind, state]), [["probe", "done"], ["encode", "running"], ["package", "waiting"], ["publish", "waiting"], ["odd", "running"]]);
  assert.equal(lines([step("encode", "done"), step("encode", "failed")])[0]?.state, "failed");
  assert.equal(lines([step("encode", "cancelled")])[0]?.state, "skipped");
  assert.deepEqual(lines([step("encode", "running", 0.5), step("encode", "ready")]).map(({ progress, measured }) => [progress, measured]), [[0.25, true]]);
  assert.equal(allWell([step("a", "done"), step("b", "skipped")]), true);
  assert.equal(allWell([step("a", "failed")]), false);
});

test("the whole counts what is heavy more", () => {
  assert.equal(overall([]), 0);
  assert.equal(overall([step("probe", "done"), step("encode", "ready")]), 1 / 13);
  assert.equal(overall([step("encode", "done"), step("probe", "skipped")]), 1);
});

test("a rate needs some time, and forgets what is long past", () => {
  const meter = new Meter();
  meter.add(0, 0);
  assert.equal(meter.rate, 0);
  assert.equal(meter.remaining(100), null);
  for (let at = 1; at <= 20; at += 1) meter.add(at * (at < 10 ? 1000 : 100_000), at);
  assert.equal(Math.round(meter.rate), 100_000);
  assert.equal(Math.round(meter.remaining(2_100_000) ?? 0), 1);
  meter.add(50, 21);
  assert.equal(meter.rate, 0);
});

test("a queue lets some in, and the next when one leaves", () => {
  const queue = new Queue(2);
  const begun: number[] = [];
  const leave = [0, 1, 2, 3].map((number) => queue.enter(() => begun.push(number)));
  assert.deepEqual(begun, [0, 1]);
  leave[2]?.(); // gives up while waiting
  leave[0]?.();
  leave[0]?.(); // twice is harmless
  assert.deepEqual(begun, [0, 1, 3]);
});

test("a file that goes in parts takes several places, and keeps its turn", () => {
  const queue = new Queue(4);
  const begun: string[] = [];
  const [small] = ["small", "large", "later"].map((name) => queue.enter(() => begun.push(name), name === "large" ? 9 : 1));
  assert.deepEqual(begun, ["small"]); // the large one fits alone, and nobody passes it
  small?.();
  assert.deepEqual(begun, ["small", "large"]);
});

test("cues are read as WebVTT writes them", () => {
  const text = "\ufeffWEBVTT\r\n\r\nNOTE 00:00.000 --> nothing\r\n\r\n1\r\n00:01.000 --> 00:02.500 align:start\r\n<v Ann>Hi &amp; bye</v>\r\nagain\r\n\r\n01:00:00.000 --> 01:00:01.000\r\n&lt;b&gt;\r\n";
  assert.deepEqual(parseVtt(text), [{ start: 1, end: 2.5, text: "Hi & bye\nagain" }, { start: 3600, end: 3601, text: "<b>" }]);
  assert.deepEqual(parseVtt(""), []);
});

test("tiles are found by time, relative to their file", () => {
  const text = "WEBVTT\n\n00:00.000 --> 00:02.000\ns.jpg#xywh=0,0,160,90\n\n00:02.000 --> 00:04.000\ns.jpg#xywh=160,0,160,90\n\n00:04.000 --> 00:05.000\nno picture\n";
  const tiles = parseTiles(text, "http://h/a/b.vtt");
  assert.deepEqual(tiles.map(({ url, x }) => [url, x]), [["http://h/a/s.jpg", 0], ["http://h/a/s.jpg", 160]]);
  assert.deepEqual([-1, 0, 1.9, 2, 99].map((time) => indexAt(tiles, time)), [-1, 0, 0, 1, 1]);
  assert.equal(indexAt([], 1), -1);
});

test("events are the same however the stream is cut", () => {
  const text = ": hello\r\nid: 7\r\nevent: asset\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\nretry: 5\n\nevent: lost\n\ndata:x\n\n";
  const wanted = [{ event: "asset", data: '{"a":\n1}' }, { event: "message", data: "x" }];
  for (let cut = 0; cut <= text.length; cut += 1) {
    const parser = new EventParser();
    assert.deepEqual([...parser.feed(text.slice(0, cut)), ...parser.feed(text.slice(cut))], wanted, `cut at ${cut}`);
    assert.equal(parser.lastId, "7");
  }
});

test("the address of an embedded player is believed within bounds", () => {
  assert.deepEqual(wishesOf(""), NO_WISHES);
  assert.deepEqual(wishesOf("?autoplay=1&muted=true&loop&start=12.5&captions=EN-gb"), { autoplay: true, muted: true, loop: true, start: 12.5, captions: "en-gb" });
  for (const query of ["?autoplay=yes&start=-1", "?start=1e9", "?start=Infinity", "?start=12,5", "?captions=<b>", "?captions=x", "?muted=0&loop=no&start="]) assert.deepEqual(wishesOf(query), NO_WISHES, query);
  assert.equal(wishesOf("?start=999999").start, 604_800);
  assert.equal(tokenOf("?token=01abc.1750000000.aB-_9"), "01abc.1750000000.aB-_9");
  for (const query of ["", "?token=", "?token=../x", "?token=a/b", "?token=..", "?token=a%20b", `?token=${"a".repeat(2001)}`]) assert.equal(tokenOf(query), null, query);
});

test("a language finds its captions, and its cousins", () => {
  const tracks = [{ language: "de" }, { language: "en-GB" }, { language: "" }];
  assert.deepEqual(["de", "en", "en-gb", "de-at", "fr", "on"].map((wanted) => indexOfLanguage(tracks, wanted)), [0, 1, 1, 0, -1, -1]);
});

test("the snippet for other pages holds any title", () => {
  const text = snippet(asset({ id: "a/b", title: '"><script>&', source: { display_width: 9, display_height: 16 } }), "https://v.test/watch/a");
  assert.match(text, /^<iframe src="https:\/\/v\.test\/embed\/a%2Fb" title="&quot;&gt;&lt;script&gt;&amp;" style="[^"]*aspect-ratio: 9 \/ 16" /);
  assert.equal(text.match(/</g)?.length, 2);
});

// What the algorithm's author's own decoder (npm thumbhash 0.1.1) paints in three places; it cuts fractions off, a canvas rounds.
test("a ThumbHash is painted as its author does", () => {
  const bytes = (base64: string) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const cases: [string, number, number, number[][]][] = [
    ["H/gBC4BEBBRwVxZVmY5PSQg=", 32, 14, [[132, 136, 107], [125, 129, 121], [120, 124, 131]]],
    ["H/gBEQAQdnd2g2V134mpeQk=", 5, 32, [[138, 142, 95], [122, 126, 126], [118, 122, 135]]],
    ["3/cJNJqAh4eAh4d4iIeAcAj4dw==", 32, 18, [[21, 34, 149], [255, 255, 140], [121, 130, 129]]],
  ];
  for (const [hash, width, height, colours] of cases) {
    const picture = decode(bytes(hash));
    assert.deepEqual([picture?.width, picture?.height], [width, height]);
    const places = [[0, 0], [width - 1, height - 1], [width >> 1, height >> 1]] as const;
    places.forEach(([x, y], index) => colours[index]?.forEach((value, plane) => assert.ok(Math.abs((picture?.data[(y * width + x) * 4 + plane] ?? -9) - value) <= 1, `${hash} ${x} ${y}`)));
  }
  assert.deepEqual([decode(new Uint8Array()), decode(bytes("H/gBC4BE"))], [null, null]);
});
