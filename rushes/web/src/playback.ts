/** The public description of a published video: all that an embedded player knows. No key is needed or sent. */

import { fetched } from "./api";
import type { PlayerSource } from "./player";
import { beaconOf } from "./plays";

export interface Description {
  asset: string;
  title: string;
  width: number | null;
  height: number | null;
  hls: string;
  dash: string | null;
  poster: string | null;
  thumbhash: string | null;
  storyboard: string | null;
  clearkey?: string | null;
  build: number;
}

/** `token` opens a signed video. */
export async function getDescription(id: string, token: string | null): Promise<Description> {
  const query = token ? `?${new URLSearchParams({ token })}` : "";
  return (await (await fetched(`/v1/playback/${encodeURIComponent(id)}${query}`)).json()) as Description;
}

export function sourceOfDescription(found: Description, token: string | null): PlayerSource {
  const { asset, hls, poster, thumbhash, storyboard, width, height, clearkey = null, build } = found;
  const shape = width && height ? `${width} / ${height}` : null;
  return { asset, hls, poster, thumbhash, storyboard, title: found.title || "Video", shape, build, beacon: beaconOf(asset, token), clearkey };
}
