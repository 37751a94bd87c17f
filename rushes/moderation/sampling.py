"""Which frames of a video the detectors look at. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from rushes.tracks import Track

INTERVAL = Fraction(1)
"""Seconds between two frames of a video of ordinary length."""
LEAST_FRAMES = 8
"""A very short clip is looked at more densely."""
MOST_FRAMES = 1440
"""Four hours at one frame every 10 s: about 25 CPU seconds of NudeNet."""
WIDEST = 10.0
"""Above this many seconds between two frames the sample is too thin to count as coverage."""
SHORT_SIDE = 320
"""The smallest rung at or above this is looked at: below it detail is lost, above it time."""
LONG_SIDE = 640


@dataclass(frozen=True)
class Sample:
    """`interval` seconds between frames, `expected` frames in all, pictures of `width` x `height`."""

    interval: Fraction
    expected: int
    width: int
    height: int

    @property
    def fps(self) -> Fraction:
        return 1 / self.interval

    @property
    def is_thin(self) -> bool:
        return self.interval > WIDEST


def sample(track: Track) -> Sample:
    """One frame a second, but neither too few nor too many, in pictures of at most `LONG_SIDE`."""
    duration = max(Fraction(1, 1000), Fraction(track.ticks, track.timescale))
    interval = min(INTERVAL, duration / LEAST_FRAMES)
    if track.fps:
        interval = max(interval, 1 / track.fps)
    interval = max(interval, duration / MOST_FRAMES)
    width, height = _fit(track.width or LONG_SIDE, track.height or LONG_SIDE)
    return Sample(interval, max(1, int(duration / interval)), width, height)


def choose(tracks: Sequence[Track]) -> Track | None:
    """The lowest sensible rung; the best one where all are small; None without video."""
    videos = [track for track in tracks if track.kind == "video" and track.segments and track.width and track.height]
    large = [track for track in videos if _short(track) >= SHORT_SIDE]
    return min(large, key=_short) if large else max(videos, key=_short, default=None)


def _short(track: Track) -> int:
    return min(track.width or 0, track.height or 0)


def _fit(width: int, height: int) -> tuple[int, int]:
    """Even sides, in the same shape, not above LONG_SIDE and not enlarged."""
    scale = min(1.0, LONG_SIDE / max(width, height))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)
