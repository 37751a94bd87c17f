// Drives hls.js, dash.js, Shaka Player and the browser's own HLS through the same stages, and measures what a viewer sees.
// `adapters[name](video, urls, options)` opens a stream, and answers with what that player can be asked to do:
//   rungs: [{ height, bitrate }], force(index), captions(), thumbnail(time) -> { url, x, y, width, height } | null, rung() -> index
// `options`: { ahead: seconds to buffer, fast: whether to assume a fast network at first }.
"use strict";

const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function until(what, condition, seconds) {
  const end = performance.now() + seconds * 1000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    await wait(20);
  }
}

function once(listen, seconds, what) {
  return Promise.race([new Promise(listen), wait(seconds * 1000).then(() => Promise.reject(new Error(`not within ${seconds} s: ${what}`)))]);
}

const FAST = 8e6; // bit/s

const adapters = {
  async hlsjs(video, urls, { ahead, fast, errors }) {
    const hls = new Hls({ ...(ahead && { maxBufferLength: ahead, maxMaxBufferLength: ahead }), ...(fast && { abrEwmaDefaultEstimate: FAST, testBandwidth: false }) });
    hls.on("hlsError", (_name, data) => {
      if (data.fatal || !["bufferStalledError", "bufferAppendNoProgress", "bufferNudgeOnStall", "fragLoadTimeOut", "aborted"].includes(data.details)) errors.push(data.details);
    });
    hls.loadSource(urls.hls);
    hls.attachMedia(video);
    await once((resolve) => hls.on("hlsManifestParsed", resolve), 20, "manifest");
    return {
      rungs: hls.levels.map(({ height, bitrate }) => ({ height, bitrate })),
      force: (index) => (hls.currentLevel = index),
      rung: () => hls.currentLevel,
      captions: () => {
        hls.subtitleDisplay = true;
        hls.subtitleTrack = 0;
      },
      thumbnail: () => tileOf(urls.storyboard),
    };
  },

  async dashjs(video, urls, { ahead, fast, errors }) {
    const player = dashjs.MediaPlayer().create();
    player.on("error", ({ error }) => errors.push(error.message));
    const buffer = ahead ? { bufferTimeDefault: ahead, bufferTimeAtTopQuality: ahead, bufferTimeAtTopQualityLongForm: ahead } : {};
    player.updateSettings({ streaming: { buffer, abr: fast ? { initialBitrate: { video: FAST / 1000 } } : {} } });
    player.initialize(video, urls.dash, false);
    await once((resolve) => player.on("streamInitialized", resolve), 20, "stream");
    const rungs = player.getRepresentationsByType("video").map(({ height, bandwidth }, index) => ({ height, bitrate: bandwidth, index }));
    return {
      rungs,
      force: (index) => {
        player.updateSettings({ streaming: { abr: { autoSwitchBitrate: { video: false } } } });
        player.setRepresentationForTypeByIndex("video", rungs[index].index, true);
      },
      rung: () => rungs.findIndex(({ height }) => height === player.getCurrentRepresentationForType("video")?.height),
      captions: () => {
        player.enableText(true);
        player.setTextTrack(0);
      },
      thumbnail: (time) => new Promise((resolve) => player.provideThumbnail(time, (found) => resolve(found && { url: found.url, x: found.x, y: found.y, width: found.width, height: found.height }))),
    };
  },

  shaka: (video, urls, options) => openShaka(video, urls.dash, options),
  shakahls: (video, urls, options) => openShaka(video, urls.hls, options),

  async native(video, urls, { errors }) {
    if (!video.canPlayType("application/vnd.apple.mpegurl")) return null;
    video.addEventListener("error", () => errors.push(video.error.message || `code ${video.error.code}`));
    video.src = urls.hls;
    await once((resolve, reject) => {
      video.addEventListener("loadedmetadata", resolve);
      video.addEventListener("error", () => reject(new Error(`the browser: ${video.error.message || video.error.code}`)));
    }, 20, "metadata");
    const texts = () => [...video.textTracks].filter(({ kind }) => kind === "subtitles" || kind === "captions");
    return { rungs: [], force: null, rung: null, captions: () => texts().forEach((track) => (track.mode = "showing")), hasCaptions: () => texts().length > 0, thumbnail: null };
  },
};

async function openShaka(video, url, { ahead, fast, errors }) {
  shaka.polyfill.installAll();
  const player = new shaka.Player();
  player.addEventListener("error", ({ detail }) => errors.push(`${detail.severity} ${detail.category}.${detail.code}`));
  await player.attach(video);
  if (ahead) player.configure({ streaming: { bufferingGoal: ahead, rebufferingGoal: 1 } });
  if (fast) player.configure({ abr: { defaultBandwidthEstimate: FAST } });
  await player.load(url);
  // Before it plays: when all of a short video is buffered, Shaka 5.2 shows no cue of an HLS text track chosen only then.
  const [text] = player.getTextTracks();
  if (text) player.selectTextTrack(text);
  const variants = () => player.getVariantTracks().filter(({ height }) => height);
  const rungs = Object.values(Object.fromEntries(variants().map((one) => [one.height, { height: one.height, bitrate: one.bandwidth }])));
  rungs.sort((one, other) => one.height - other.height);
  return {
    rungs,
    force: (index) => {
      player.configure({ abr: { enabled: false } });
      player.selectVariantTrack(variants().find(({ height }) => height === rungs[index].height), true);
    },
    rung: () => rungs.findIndex(({ height }) => height === variants().find(({ active }) => active)?.height),
    captions: () => player.selectTextTrack(text),
    thumbnail: async (time) => {
      const [track] = player.getImageTracks();
      const found = track && (await player.getThumbnails(track.id, time));
      return found ? { url: found.uris[0], x: found.positionX, y: found.positionY, width: found.width, height: found.height } : null;
    },
  };
}

// The storyboard of players that have no notion of one: the WebVTT whose cues name a tile.
async function tileOf(address) {
  if (!address) return null;
  const found = /^(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)$/m.exec(await (await fetch(address)).text());
  if (!found) return null;
  const [x, y, width, height] = found.slice(2).map(Number);
  return { url: new URL(found[1], address).href, x, y, width, height };
}

// Longest time without a new position while it should be playing, in milliseconds. `grace()` begins anew after a seek.
function watch(video) {
  const seen = { worst: 0, at: 0, ahead: 0 };
  let [position, since] = [video.currentTime, performance.now()];
  const timer = setInterval(() => {
    const now = performance.now();
    if (video.currentTime !== position || video.paused || video.ended || video.seeking) [position, since] = [video.currentTime, now];
    else if (now - since > seen.worst) Object.assign(seen, { worst: now - since, at: position, ahead: bufferedAhead(video) });
  }, 10);
  return { seen, grace: () => (since = performance.now()), stop: () => clearInterval(timer) };
}

function bufferedAhead({ buffered, currentTime }) {
  for (let index = 0; index < buffered.length; index += 1) {
    if (buffered.start(index) <= currentTime + 0.05 && currentTime < buffered.end(index)) return buffered.end(index) - currentTime;
  }
  return 0;
}

async function seek(video, time) {
  const begun = performance.now();
  video.currentTime = Math.min(time, Math.max(0, video.duration - 0.1));
  await until(`seek to ${time.toFixed(1)} s`, () => !video.seeking, 15);
  if (video.paused) await video.play();
  const from = video.currentTime;
  await until(`playing on from ${from.toFixed(1)} s`, () => video.ended || video.currentTime > from + 0.05, 15);
  return performance.now() - begun;
}

const plain = (text) => text.replace(/<[^>]*>/g, "").replace(/&amp;/g, "&").replace(/\s+/g, " ").trim();
const shown = (video) => [...video.textTracks].flatMap((track) => [...(track.activeCues ?? [])]).map((cue) => plain(cue.text ?? ""));

const stages = {
  async end(video, player, { most }, result) {
    const monitor = watch(video);
    const { duration } = video;
    video.playbackRate = Math.min(2, Math.max(1, duration / 10));
    const begun = performance.now();
    await video.play();
    await until("start", () => video.ended || video.currentTime > Math.min(0.3, duration / 4), 15);
    result.start = performance.now() - begun;
    monitor.seen.worst = 0; // loading is no stall
    monitor.grace();
    if (duration > 2 * most + 10) {
      await until("playing", () => video.currentTime > most, 2 * most + 10);
      await seek(video, duration - most); // the middle of long clips is for the seeks
      monitor.grace();
    }
    // dash.js may find that it is over, and pause, before the element says so; then the element never does
    const over = () => video.ended || (video.paused && video.duration - video.currentTime < 0.05);
    await until("the end", over, duration + 20);
    monitor.stop();
    video.playbackRate = 1;
    result.stall = monitor.seen;
    result.duration = duration;
  },
  async rungs(video, player, _options, result) {
    result.heights = [];
    for (const [index, { height }] of player.rungs.entries()) {
      player.force(index);
      if (video.ended || video.duration - video.currentTime < 2) await seek(video, 0);
      else if (video.paused) await video.play();
      await until(`${height}p on the screen`, async () => {
        if (video.ended) await seek(video, 0);
        return video.videoHeight === height;
      }, 20);
      result.heights.push(video.videoHeight);
    }
  },
  async seeks(video, _player, _options, result) {
    result.seeks = [];
    for (const share of [0.5, 0.1, 0.8]) result.seeks.push(await seek(video, video.duration * share));
  },
  async captions(video, player, { cues }, result) {
    if (player.hasCaptions && !player.hasCaptions()) throw new Error("no text track");
    player.captions();
    const cue = cues[Math.floor(cues.length / 2)];
    await seek(video, (cue.start + Math.min(cue.end, cue.start + 0.5)) / 2);
    await until(`the words "${cue.text}"`, async () => {
      if (shown(video).some((text) => text.includes(plain(cue.text)))) return true;
      if (video.ended || video.currentTime > cue.end) await seek(video, cue.start);
      return false;
    }, 10);
    result.captions = plain(cue.text);
  },
  async storyboard(video, player, _options, result) {
    const tile = await player.thumbnail(video.duration / 2);
    if (!tile) throw new Error("no thumbnail");
    const image = new Image();
    image.crossOrigin = "anonymous";
    image.src = tile.url;
    await image.decode();
    if (tile.x + tile.width > image.naturalWidth || tile.y + tile.height > image.naturalHeight) throw new Error("a tile beyond its sheet");
    result.tile = [tile.width, tile.height];
  },
};

// `urls`: { hls, dash, storyboard }; `options`: { most, cues, stages }. Stages after one that fails are tried all the same.
async function run(name, urls, options) {
  const result = { failed: {}, errors: [] };
  const video = document.querySelector("video");
  video.muted = true;
  let player;
  try {
    player = await adapters[name](video, urls, { errors: result.errors });
    if (player) await until("its duration", () => video.readyState >= 1 && Number.isFinite(video.duration), 20);
  } catch (error) {
    return { ...result, failed: { open: String(error.message ?? error) } };
  }
  if (!player) return null;
  for (const stage of options.stages) {
    if ((stage === "rungs" && !player.force) || (stage === "storyboard" && !player.thumbnail) || (stage === "captions" && !options.cues.length)) continue;
    try {
      await stages[stage](video, player, options, result);
    } catch (error) {
      result.failed[stage] = `${error.message ?? error} (at ${video.currentTime.toFixed(2)} s, ready ${video.readyState})`;
    }
  }
  return result;
}

// Begins on a fast network with a small buffer; `adapt` is called once the network has become slow.
async function begin(name, urls) {
  const video = document.querySelector("video");
  video.muted = true;
  window.slow = { errors: [] };
  window.slow.player = await adapters[name](video, urls, { errors: window.slow.errors, ahead: 6, fast: true });
  await video.play();
  await until("start", () => video.currentTime > 1, 15);
  return video.videoHeight;
}

async function adapt(limit, seconds) {
  const { player, errors } = window.slow;
  const video = document.querySelector("video");
  const fits = player.rungs.filter(({ bitrate }) => bitrate <= limit).map(({ height }) => height);
  const lowest = Math.min(...player.rungs.map(({ height }) => height));
  await until("a lower quality on the screen", () => video.videoHeight <= Math.max(lowest, ...fits), seconds);
  const from = video.currentTime;
  await until("playing on", () => video.ended || video.currentTime > from + 3, 20);
  return { height: video.videoHeight, errors };
}
