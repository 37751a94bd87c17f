/** Brings an HLS stream into a video element: hls.js where there are Media Source Extensions, else the browser itself. */

import type Hls from "hls.js";
import type { ErrorData, HlsConfig, Loader, LoaderContext } from "hls.js";

export interface StreamListener {
  levels(): void;
  captions(): void;
  /** A sentence; the stream cannot go on. */
  failed(sentence: string): void;
}

function sentenceOf(data: ErrorData): string {
  const status = data.response?.code ?? 0;
  if (status === 404 || status === 410) return "The video is not there, or is not there any more.";
  if (status === 401 || status === 403) return "This video is not public.";
  if (data.type === "networkError") return "The video could not be loaded. Please check the connection.";
  return "This browser could not play the video.";
}

/** Starts at a chosen quality: `auto`, `highest`, `lowest`, or a height such as `720p`. */
function choose(hls: Hls, quality: string): void {
  const heights = hls.levels.map((level) => level.height);
  const wanted = Number.parseInt(quality, 10);
  if (quality === "highest") hls.currentLevel = heights.length - 1;
  else if (quality === "lowest") hls.currentLevel = 0;
  else if (heights.includes(wanted)) hls.currentLevel = heights.indexOf(wanted);
}

function follow(hls: Hls, Library: typeof Hls, listener: StreamListener, quality: string | null): void {
  let recoveries = 0;
  hls.on(Library.Events.MANIFEST_PARSED, () => {
    if (quality) choose(hls, quality);
    listener.levels();
  });
  hls.on(Library.Events.LEVEL_SWITCHED, () => listener.levels());
  // hls.js makes its own choice right after this event; ours comes behind it.
  hls.on(Library.Events.SUBTITLE_TRACKS_UPDATED, () => queueMicrotask(() => listener.captions()));
  hls.on(Library.Events.ERROR, (_event, data) => {
    if (!data.fatal) return;
    if (data.type === Library.ErrorTypes.MEDIA_ERROR && recoveries++ < 2) hls.recoverMediaError();
    else listener.failed(sentenceOf(data));
  });
}

const IDENTITY = /^#EXT-X-(?:SESSION-)?KEY:METHOD=SAMPLE-AES,.*KEYFORMAT="identity".*\n/gm;

/** Encrypted samples are the browser's to decrypt (W3C EME). hls.js 1.7 would take a key of the format `identity` first, with which
 * it can do nothing in MP4, so it does not get to see it. Segments that are encrypted whole it decrypts itself. */
function keysFrom(licenseUrl: string, Library: typeof Hls): Partial<HlsConfig> {
  class PlaylistLoader extends Library.DefaultConfig.loader {
    override load(...[context, config, callbacks]: Parameters<Loader<LoaderContext>["load"]>): void {
      const { onSuccess } = callbacks;
      callbacks.onSuccess = (response, ...rest) => {
        if (typeof response.data === "string") response.data = response.data.replace(IDENTITY, "");
        onSuccess(response, ...rest);
      };
      super.load(context, config, callbacks);
    }
  }
  const pLoader = PlaylistLoader as unknown as NonNullable<HlsConfig["pLoader"]>;
  return { emeEnabled: true, drmSystems: { "org.w3.clearkey": { licenseUrl } }, pLoader };
}

/** The hls.js instance, or null where the browser plays HLS by itself or not at all. */
export async function open(
  video: HTMLVideoElement,
  address: string,
  listener: StreamListener,
  start: number,
  source: { asset: string; clearkey: string | null },
): Promise<Hls | null> {
  const { default: Library } = await import("hls.js");
  if (!Library.isSupported()) {
    if (video.canPlayType("application/vnd.apple.mpegurl")) openNatively(video, address, listener, start);
    else listener.failed("This browser can play no adaptive video. Please try a newer one.");
    return null;
  }
  const quality = new URLSearchParams(location.search).get("quality");
  const config: Partial<HlsConfig> = {
    capLevelToPlayerSize: quality === null,
    startPosition: start,
    enableWorker: false, // fragmented MP4 is passed through: there is nothing to compute
    backBufferLength: 60,
    ...(source.clearkey && keysFrom(source.clearkey, Library)),
    cmcd: { contentId: source.asset }, // CTA-5004, in the query: headers would cost a question beforehand on another host
  };
  const hls = new Library(config);
  hls.subtitleDisplay = false;
  follow(hls, Library, listener, quality);
  hls.loadSource(address);
  hls.attachMedia(video);
  return hls;
}

function openNatively(video: HTMLVideoElement, address: string, listener: StreamListener, start: number): void {
  video.addEventListener("error", () => listener.failed("This browser could not play the video."));
  video.addEventListener("loadedmetadata", () => start > 0 && (video.currentTime = start), { once: true });
  video.textTracks.addEventListener("addtrack", () => listener.captions());
  video.src = address;
}
