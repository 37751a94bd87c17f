// Plays a protected stream with hls.js, dash.js or Shaka Player as docs/delivery.md says that each is told of its keys.
"use strict";

const openers = {
  async hlsjs(video, { hls, clearkey }, errors) {
    // hls.js prefers a key that it cannot use in MP4, so it is not shown that one.
    class Playlists extends Hls.DefaultConfig.loader {
      load(context, config, callbacks) {
        const onSuccess = (response, ...more) => {
          if (typeof response.data === "string") response.data = response.data.replace(/^#EXT-X-(SESSION-)?KEY:METHOD=SAMPLE-AES,.*KEYFORMAT="identity".*$/gm, "");
          callbacks.onSuccess(response, ...more);
        };
        super.load(context, config, { ...callbacks, onSuccess });
      }
    }
    const player = new Hls({ pLoader: Playlists, emeEnabled: true, drmSystems: { "org.w3.clearkey": { licenseUrl: clearkey } } });
    player.on("hlsError", (_name, data) => data.details !== "bufferStalledError" && errors.push(`${data.details} ${data.error?.message}`));
    player.loadSource(hls);
    player.attachMedia(video);
  },

  async dashjs(video, { dash, clearkey }, errors) {
    const player = dashjs.MediaPlayer().create();
    player.on("error", ({ error }) => errors.push(error.message));
    player.initialize();
    player.setProtectionData({ "org.w3.clearkey": { serverURL: clearkey } });
    player.attachView(video);
    player.attachSource(dash);
  },

  shaka: (video, { dash, clearkey }, errors) => shakaOf(video, dash, errors, clearkey),
  shakahls: (video, { hls }, errors) => shakaOf(video, hls, errors),
};

async function shakaOf(video, url, errors, clearkey) {
  shaka.polyfill.installAll();
  const player = new shaka.Player();
  await player.attach(video);
  player.addEventListener("error", ({ detail }) => errors.push(`${detail.code}`));
  if (clearkey) player.configure({ drm: { servers: { "org.w3.clearkey": clearkey } } });
  await player.load(url);
}

// What was seen when the video has come to `end`, or when it did not within `seconds`.
async function playProtected(name, urls, end, seconds) {
  const video = document.querySelector("video"), errors = [];
  const over = new Promise((resolve) => video.addEventListener("timeupdate", () => video.currentTime >= end && resolve()));
  await openers[name](video, urls, errors).catch((error) => errors.push(`${error.code ?? ""} ${error.message}`));
  video.muted = true;
  video.playbackRate = 2;
  video.play().catch((error) => errors.push(error.message));
  await Promise.race([over, new Promise((resolve) => setTimeout(resolve, seconds * 1000))]);
  return {
    time: video.currentTime, frames: video.getVideoPlaybackQuality().totalVideoFrames,
    sound: video.webkitAudioDecodedByteCount, eme: Boolean(video.mediaKeys), errors,
  };
}
