/** What the API answers with, as far as the pages use it. Everything may be absent: the pages show what there is. */

export interface Reason {
  code: string;
  message: string;
}

export interface Step {
  key?: string;
  kind: string;
  state: string;
  progress: number;
  attempts?: number;
  required?: boolean;
  reason?: Reason | null;
}

export interface Rendition {
  name: string;
  codec?: string;
  width?: number;
  height?: number;
  fps?: string | number | null;
  bitrate?: number;
  peak_bitrate?: number;
  vmaf?: number | null;
}

export interface Label {
  name: string;
  parents?: string[];
  score: number;
  start: number;
  end: number;
  detector?: string;
}

export interface Coverage {
  detector: string;
  state: string;
  reason?: string | null;
}

export interface Cue {
  start: number;
  end: number;
  text: string;
}

export interface Transcript {
  language?: string | null;
  engine?: string;
  trusted?: boolean;
  cues?: Cue[] | number;
  url?: string | null;
}

export interface Playback {
  hls: string | null;
  dash: string | null;
  poster: string | null;
  thumbhash: string | null;
  storyboard: string | null;
  clearkey?: string | null;
}

export interface Asset {
  id: string;
  title?: string;
  state: string;
  publication: string;
  reason?: Reason | null;
  created_at?: string;
  published_at?: string | null;
  source?: {
    duration?: number | null;
    display_width?: number | null;
    display_height?: number | null;
    size?: number | null;
  } | null;
  partial?: { missing_seconds: number } | null;
  duration?: number | null;
  playback?: (Partial<Playback> & { private?: Partial<Playback> | null }) | null;
  build?: number;
  renditions?: Rendition[];
  labels?: Label[];
  coverage?: Coverage[];
  verdict?: { action: string; policy: string; rules: string[] } | null;
  transcript?: Transcript | null;
  notes?: Reason[];
  steps?: Step[];
}

export function isSettled(asset: Asset): boolean {
  return ["ready", "failed", "deleted"].includes(asset.state);
}

/** The owner's private preview where there is one: then the public addresses are none, or ask for a token. Else the public ones. */
export function playbackOf(asset: Asset): Playback {
  const { playback } = asset;
  const chosen = playback?.private?.hls ? playback.private : (playback ?? {});
  const { hls = null, dash = null, poster = null, thumbhash = null, storyboard = null, clearkey = null } = chosen;
  return { hls, dash, poster, thumbhash, storyboard, clearkey };
}

export function durationOf(asset: Asset): number | null {
  return asset.duration ?? asset.source?.duration ?? null;
}

export function titleOf(asset: Asset): string {
  return asset.title?.trim() || "Untitled video";
}
