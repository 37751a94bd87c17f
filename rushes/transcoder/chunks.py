"""Chunks: the stretches of a source that are encoded beside each other, by whoever is free. Pure.

Their number and size follow from the source and the profile alone, never from who is free, so that the same source gives
the same bytes everywhere.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import ceil

from rushes.engine.effort import encode_cost
from rushes.facts import SourceFacts
from rushes.plan import Chunk, Ladder
from rushes.transcoder.cuts import grid_starts
from rushes.transcoder.encoders import SLOWEST_REORDERED
from rushes.transcoder.verify import declared_seconds

CPU_SECONDS = 20
"""What one chunk costs, about: between 14 and 30 CPU seconds. A chunk too many costs a second of decoding and half a second
of starting; one too few leaves cores without work, for each rung of it is encoded by one thread, and takes longer to do again
where a worker is lost."""
SHORTEST_SEGMENTS = 2
LONGEST_SECONDS = 600
"""Of a chunk, however little it costs: its rungs lie in scratch until it is done."""
MOST_CHUNKS = 1000
LAZY_CPU_SECONDS = 4
"""Of a chunk that somebody may be waiting for: two segments of 720 lines or one of 1080, about."""
GROUPS, LAZY_GROUPS = 2, 0.5
"""Distances of key pictures in a chunk, at least: what lies between a key picture and the chunk is decoded in vain. That costs
less than to let somebody wait."""


def can_cut(facts: SourceFacts) -> bool:
    """Whether the picture may be read from its middle: the container has an index of the whole file, and what lies before
    is of no importance for what follows. A deinterlacer compares pictures with those before, which may be long ago where
    the rate varies."""
    video = facts.video
    return video is not None and facts.indexed and not (video.interlaced and video.vfr)


def plan_chunks(facts: SourceFacts, *ladders: Ladder) -> tuple[Chunk, ...]:
    """One list for all ladders, whose grid is one; the dearest decides. The last chunk is for whatever is there at the end,
    so that a source that is longer than it says loses nothing."""
    return _planned(facts, ladders, (CPU_SECONDS, SHORTEST_SEGMENTS, GROUPS))


def plan_lazy_chunks(facts: SourceFacts, *ladders: Ladder) -> tuple[Chunk, ...]:
    """The same for ladders that are made on demand: shorter, so that the first one is soon there."""
    return _planned(facts, ladders, (LAZY_CPU_SECONDS, 1, LAZY_GROUPS))


def _planned(facts: SourceFacts, ladders: Sequence[Ladder], sizes: tuple[float, int, float]) -> tuple[Chunk, ...]:
    """`sizes`: about so many CPU seconds, at least so many segments, and distances of key pictures."""
    each, shortest, groups = sizes
    grid = ladders[0].grid
    if not can_cut(facts) or grid.fps < SLOWEST_REORDERED:
        return (Chunk(),)
    frames = round(declared_seconds(facts) * grid.fps)
    cost = max(sum(encode_cost(rung, frames) for rung in ladder.rungs) for ladder in ladders)
    wanted = max(_by_cost(cost, each), ceil(frames / grid.fps / LONGEST_SECONDS))
    firsts = _spread(grid_starts(frames, grid), frames, min(wanted, _by_groups(facts, groups), MOST_CHUNKS), shortest)
    ends = [*firsts[1:], None]
    return tuple(
        Chunk(number=number, first=first, frames=None if end is None else end - first)
        for number, (first, end) in enumerate(zip(firsts, ends, strict=True))
    )


def _by_cost(cost: float, each: float) -> int:
    return max(1, int(cost / each + 0.5))


def _by_groups(facts: SourceFacts, groups: float) -> int:
    """No more than the key pictures allow, as far as they are known."""
    gaps = [after - before for before, after in pairwise(facts.keyframes)]
    if not gaps:
        return 1 if facts.keyframes else MOST_CHUNKS
    return max(1, int(declared_seconds(facts) / (groups * max(gaps))))


def _spread(starts: list[int], frames: int, count: int, shortest: int) -> list[int]:
    """The first frames of at most `count` chunks of about equal length, each at one of `starts`, where segments begin."""
    count = max(1, min(count, len(starts) // shortest))
    return sorted({_nearest(starts, Fraction(number * frames, count)) for number in range(count)})


def _nearest(starts: list[int], place: Fraction) -> int:
    at = bisect_left(starts, place)
    return min(starts[max(0, at - 1) : at + 1], key=lambda start: (abs(start - place), start))
