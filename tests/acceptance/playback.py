"""Plays an asset in a real browser the way a viewer does, and says what happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Page
from playwright.sync_api import TimeoutError as Waited

SHORT = 1.0
"""Seconds; below this there is nothing to seek in, and showing the first frame and ending is enough."""
LAST = 1.5
"""Seconds before the end to which the last seek goes."""

# Listens from the moment the player exists, before its first request has been answered.
_HOOK = """
(() => {
  let player;
  // A switch to another quality puts the same seconds in place once more; hls.js remarks on it where the reordering of
  // pictures is longer than its tolerance of 50 ms. And what was being loaded of the quality before is given up.
  const harmless = (data) => !data.fatal
    && (data.details === "aborted" || (data.details === "bufferAppendNoProgress" && data.appendsWithoutProgress === 1));
  const place = (piece) => piece && `(${piece.type} ${piece.sn} at ${piece.start} to ${piece.end})`;
  const log = (window.playback = { errors: [], warnings: [], stalls: 0 });
  Object.defineProperty(window, "rushesPlayer", {
    configurable: true,
    get: () => player,
    set: (value) => {
      player = value;
      value.hls?.on("hlsError", (_name, data) => {
        const text = [data.fatal && "fatal", data.details, data.error?.message, place(data.frag)].filter(Boolean).join(" ");
        if (data.details === "bufferStalledError") log.stalls += 1;
        else (harmless(data) ? log.warnings : log.errors).push(text);
      });
    },
  });
})();
"""
_REPORT = """
() => {
  const { hls, video } = window.rushesPlayer;
  const levels = (hls?.levels ?? []).map(({ width, height, bitrate }) => ({ width, height, bitrate }));
  const quality = video.getVideoPlaybackQuality();
  return {
    duration: video.duration, width: video.videoWidth, height: video.videoHeight, levels, ended: video.ended,
    frames: quality.totalVideoFrames, dropped: quality.droppedVideoFrames,
    captions: (hls?.subtitleTracks ?? []).length, audio: (hls?.audioTracks ?? []).length, ...window.playback,
  };
}
"""
_SHOWS = "() => window.rushesPlayer?.video.readyState >= 2"
_PLAYED_TO = "(time) => { const { video } = window.rushesPlayer; return video.ended || video.currentTime > time; }"
_ENDED = "() => window.rushesPlayer.video.ended"
_PLAY = "async () => { const { video } = window.rushesPlayer; video.muted = true; await video.play(); }"
_SEEK = """
async (time) => {
  const { video } = window.rushesPlayer;
  video.currentTime = time;
  await new Promise((resolve) => video.addEventListener("seeked", resolve, { once: true }));
  if (video.paused && !video.ended) await video.play();
}
"""


class PlaybackFailed(AssertionError):
    """A stage did not come to pass; the text says which, and what the player and the page say about it."""


@dataclass(frozen=True)
class PlaybackReport:
    """What was seen. Times are seconds; `levels` are dicts of width, height and bitrate."""

    duration: float
    width: int
    height: int
    ended: bool
    frames: int
    dropped: int
    captions: int
    audio: int
    stalls: int
    levels: list[dict[str, int]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    """What hls.js reported, fatal or not, with the segment it is about."""
    warnings: list[str] = field(default_factory=list)
    """What it reported that takes nothing from the viewer."""


def play(page: Page, base_url: str, asset: str, *, quality: str = "auto", timeout: float = 30.0) -> PlaybackReport:
    """Open /watch, start muted, seek to the middle, seek to the last seconds, play to the end.

    `timeout` bounds each stage, in seconds. Raises PlaybackFailed at the stage that does not come to pass.
    """
    page.add_init_script(_HOOK)
    page.goto(f"{base_url}/watch/{asset}?quality={quality}")
    _await(page, "show its first frame", _SHOWS, None, timeout)
    duration = float(page.evaluate("() => window.rushesPlayer.video.duration"))
    page.evaluate(_PLAY)
    if duration >= SHORT:
        _await(page, "start", _PLAYED_TO, min(0.5, duration / 4), timeout)
        _seek(page, duration / 2, timeout)
        _await(page, "go on in the middle", _PLAYED_TO, duration / 2 + 0.1, timeout)
        _seek(page, max(0.0, duration - LAST), timeout)
    _await(page, "reach its end", _ENDED, None, timeout + LAST)
    return PlaybackReport(**page.evaluate(_REPORT))


def _seek(page: Page, time: float, timeout: float) -> None:
    page.set_default_timeout(timeout * 1000)
    page.evaluate(_SEEK, time)


def _await(page: Page, stage: str, condition: str, argument: Any, timeout: float) -> None:
    try:
        page.wait_for_function(condition, arg=argument, timeout=timeout * 1000)
    except Waited:
        raise PlaybackFailed(f"The video did not {stage} within {timeout:g} s. {_seen(page)}") from None


def _seen(page: Page) -> str:
    said = [text for text in page.locator("#stage, #notice").all_inner_texts() if text.strip()]
    state = page.evaluate(
        "() => { const video = window.rushesPlayer?.video; return video"
        " ? { time: video.currentTime, ready: video.readyState, paused: video.paused, error: video.error?.message,"
        " ...window.playback } : 'no player'; }"
    )
    return f"The page says {said}, the player {state}."
