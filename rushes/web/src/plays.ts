/** Tells the server that a video is watched, once for each page: renditions that are made on demand are made now. */

/** `token`: of a signed video. */
export function beaconOf(asset: string, token: string | null): string {
  return `${token ? `/signed/${token}` : ""}/plays/${encodeURIComponent(asset)}`;
}

export function tellOfPlay(video: HTMLVideoElement, beacon: string): void {
  const tell = () => void fetch(beacon, { method: "POST", keepalive: true }).catch(() => undefined);
  video.addEventListener("playing", tell, { once: true });
}
