"""Measured bit rates of a track, as HLS defines them (RFC 8216bis section 4.4.6.2, "peak segment bit rate")."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import ceil, floor

from rushes.model import Track


def seconds(track: Track) -> list[Fraction]:
    """The exact duration of each segment."""
    return [Fraction(segment.ticks, track.timescale) for segment in track.segments]


def target_duration(tracks: Iterable[Track]) -> int:
    """Whole seconds that no rounded segment exceeds. One value for all playlists of a build (section 6.2.4)."""
    longest = max((duration for track in tracks for duration in seconds(track)), default=Fraction(1))
    return max(1, floor(longest + Fraction(1, 2)))


def average(durations: Sequence[Fraction], sizes: Sequence[int]) -> int:
    """Bits per second over the whole, rounded up."""
    total = sum(durations)
    return ceil(8 * sum(sizes) / total) if total else 0


def peak(durations: Sequence[Fraction], sizes: Sequence[int], target: int) -> int:
    """The highest rate of any run of neighbouring segments that lasts between 0.5 and 1.5 target durations.

    A last segment that is shorter does not count alone. Where nothing is long enough, the whole counts.
    """
    best = Fraction(0)
    for first in range(len(durations)):
        length, size = Fraction(0), 0
        for duration, octets in zip(durations[first:], sizes[first:], strict=True):
            length, size = length + duration, size + octets
            if 2 * length > 3 * target:
                break
            if 2 * length >= target:
                best = max(best, 8 * size / length)
    return ceil(best) or average(durations, sizes)


def track_average(track: Track) -> int:
    return average(seconds(track), [segment.size for segment in track.segments])


def track_peak(track: Track, target: int) -> int:
    return peak(seconds(track), [segment.size for segment in track.segments], target)
