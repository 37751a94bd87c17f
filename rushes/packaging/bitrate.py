"""Measured bit rates of a track, as HLS defines them (RFC 8216bis section 4.4.6.2, "peak segment bit rate")."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import ceil, floor

from rushes.tracks import Track


def seconds(track: Track) -> list[Fraction]:
    """The exact duration of each segment."""
    return [Fraction(segment.ticks, track.timescale) for segment in track.segments]


def target_duration(tracks: Iterable[Track]) -> int:
    """Whole seconds that no rounded segment exceeds. One value for all playlists of a build (section 6.2.4) but those of
    images, whose sheets stand for half a minute."""
    return _target(duration for track in tracks if track.kind != "image" for duration in seconds(track))


def own_target(track: Track) -> int:
    """That of one track by itself."""
    return _target(seconds(track))


def _target(durations: Iterable[Fraction]) -> int:
    return max(1, floor(max(durations, default=Fraction(1)) + Fraction(1, 2)))


def average(durations: Sequence[Fraction], sizes: Sequence[int]) -> int:
    """Bits per second over the whole, rounded up."""
    total = sum(durations)
    return ceil(8 * sum(sizes) / total) if total else 0


def peak(durations: Sequence[Fraction], sizes: Sequence[int], target: int) -> int:
    """The highest rate of any run of neighbouring segments that lasts between 0.5 and 1.5 target durations, no less than that
    of the whole.

    A short segment between long ones may be in no such run; it counts together with one of them, or nobody would reckon with
    what it weighs.
    """
    count = len(durations)
    runs = [*(range(first, count) for first in range(count)), range(count - 1, -1, -1)]
    best = max((_fastest(durations, sizes, target, run) for run in runs), default=Fraction(0))
    return max(ceil(best), average(durations, sizes))


def _fastest(durations: Sequence[Fraction], sizes: Sequence[int], target: int, run: range) -> Fraction:
    """Of as many of the first segments of `run` as are long enough, and of more up to the limit."""
    best, length, size = Fraction(0), Fraction(0), 0
    for place in run:
        length, size = length + durations[place], size + sizes[place]
        if best and 2 * length > 3 * target:
            break
        if 2 * length >= target:
            best = max(best, 8 * size / length)
    return best


def track_average(track: Track) -> int:
    return average(seconds(track), [segment.size for segment in track.segments])


def track_peak(track: Track, target: int) -> int:
    return peak(seconds(track), [segment.size for segment in track.segments], target)
