"""Where tracks are cut into segments: sample indices, from the grid and from what was measured. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from rushes.isobmff.movie import MovieTrack
from rushes.isobmff.segmenter import closed_starts
from rushes.plan import Grid

MIN_SECONDS = 2
"""Shorter groups are joined."""
MAX_SECONDS = 10.5
"""As in `rushes.engine.standard`, where the reason is."""
MANY = 100
"""Segments; a longer track may have longer ones."""
PACKED_SECONDS = 6
"""The target duration that the authoring rules of HLS recommend."""


class CutError(ValueError):
    """A track cannot be cut as asked; the text says why."""


SHORTEST = Fraction(1, 4)
"""Of a segment: a shorter rest joins the segment before it. hls.js does not know edit lists and takes every segment to be
shown later by the reordering delay; a last one that is no longer than that delay was never complete for it, and playback
never ended (hls.js 1.6, two frames of 24 fps)."""


def grid_starts(frames: int, grid: Grid, first: int = 0) -> list[int]:
    """Of `frames` frames that are those of the grid from `first` on, the ones at which segments begin; the first is 0.

    A short rest joins the last one, but not where the grid is the source's own: there it has been decided already.
    """
    if grid.starts:
        return [start - first for start in grid.starts if first <= start < first + frames]
    shortest = max(1, int(SHORTEST * grid.segment_frames))
    return list(range(0, max(1, frames - shortest + 1), grid.segment_frames))


def key_frames(frames: int, grid: Grid, first: int = 0) -> list[int]:
    """The same for key pictures."""
    return grid_starts(frames, grid, first) if grid.starts else list(range(0, frames, grid.gop_frames))


def sync_starts(track: MovieTrack) -> list[int]:
    """Cut points of a track that was encoded elsewhere: closed key pictures at least 2 s and at most 10.5 s apart.

    Raises CutError where a segment would be longer, the track does not begin with a closed key picture, or takes no time.
    """
    if track.ticks <= 0:
        raise CutError("the pictures take no time")
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


def packed(starts: Sequence[int], track: MovieTrack) -> list[int]:
    """Of the cut points of a long track those that are left when segments are joined up to PACKED_SECONDS: what has to be stored
    one by one before anybody sees it should not be many (1,200 objects take a second longer than 400)."""
    if len(starts) <= MANY:
        return list(starts)
    times = [*(track.samples[start].pts for start in starts), track.first_pts + track.ticks]
    kept = [0]
    for number in range(1, len(starts)):
        if times[number + 1] - times[kept[-1]] > PACKED_SECONDS * track.timescale:
            kept.append(number)
    return [starts[number] for number in kept]


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
