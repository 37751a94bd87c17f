"""Where tracks are cut into segments: sample indices, from the grid and from what was measured. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from rushes.isobmff.movie import MovieTrack
from rushes.isobmff.segmenter import closed_starts

MIN_SECONDS = 2
"""Shorter groups are joined."""
MAX_SECONDS = 10.5
"""As in `rushes.engine.standard`, where the reason is."""


class CutError(ValueError):
    """A track cannot be cut as asked; the text says why."""


SHORTEST = Fraction(1, 4)
"""Of a segment: a shorter rest joins the segment before it. hls.js does not know edit lists and takes every segment to be
shown later by the reordering delay; a last one that is no longer than that delay was never complete for it, and playback
never ended (hls.js 1.6, two frames of 24 fps)."""


def grid_starts(frames: int, segment_frames: int) -> list[int]:
    """The frames at which segments begin: every `segment_frames`, the first is 0; a short rest joins the last one."""
    return list(range(0, max(1, frames - int(SHORTEST * segment_frames) + 1), segment_frames))


def sync_starts(track: MovieTrack) -> list[int]:
    """Cut points of a track that was encoded elsewhere: closed key pictures at least 2 s and at most 10.5 s apart.

    Raises CutError where a segment would be longer, or the track does not begin with a closed key picture.
    """
    closed = closed_starts(track)
    if not closed or closed[0] != 0:
        raise CutError("the video does not begin with a closed key picture")
    times = [sample.pts for sample in track.samples]
    starts = [0]
    for index in closed[1:]:
        if times[index] - times[starts[-1]] >= MIN_SECONDS * track.timescale:
            starts.append(index)
    if len(starts) > 1 and _is_short(times, starts, track):
        starts.pop()
    longest = max(_lengths([times[start] for start in starts], track.first_pts + track.ticks))
    if longest > MAX_SECONDS * track.timescale:
        raise CutError(f"a segment would last {longest / track.timescale:.2f} s")
    return starts


def _is_short(times: Sequence[int], starts: Sequence[int], track: MovieTrack) -> bool:
    """Whether the last segment may join the one before it, and should."""
    end = track.first_pts + track.ticks
    rest, joined = end - times[starts[-1]], end - times[starts[-2]]
    return rest < SHORTEST * MIN_SECONDS * track.timescale and joined <= MAX_SECONDS * track.timescale


def shown_at(track: MovieTrack, starts: Sequence[int]) -> list[Fraction]:
    """Seconds after the first picture at which the samples `starts` are shown."""
    zero = track.samples[0].pts
    return [Fraction(track.samples[start].pts - zero, track.timescale) for start in starts]


def every(seconds: Fraction, duration: float) -> list[Fraction]:
    """The cut times 0, `seconds`, 2 x `seconds`...; the rest before `duration` joins the last one where it is short."""
    whole, rest = divmod(Fraction(duration), seconds)
    return [seconds * number for number in range(max(1, int(whole) + (rest >= SHORTEST * seconds)))]


def _lengths(times: Sequence[int], end: int) -> list[int]:
    return [after - before for before, after in pairwise([*times, end])]
