"""The first look at a source that cannot be delivered as it is: its grid and its chunks. Pure.

The first chunk is short, so that something plays soon; each following one is twice as long, so that there are few of them
and playback, which takes its time, does not catch up.
"""

from __future__ import annotations

from collections.abc import Iterator

from rushes.facts import SourceFacts, VideoFacts
from rushes.plan import Chunk, Grid, Ladder, Look, Rung
from rushes.profiles import CodecTarget, VideoTargets
from rushes.transcoder.chunks import can_cut
from rushes.transcoder.grid import plan_grid

SIDE = 360
"""Short side of the only rung: the least that is worth watching on a phone."""
CODEC = CodecTarget(codec="h264", preset="superfast", crf=25)
"""At this size it costs a tenth of the decoding that it needs."""
MAX_FPS = 30
SEGMENT_SECONDS = 2.0
FIRST_SECONDS, LONGEST_SECONDS = 4.0, 60.0
"""Of the first chunk, and of any."""
FIRST_PIXELS = 6.0e8
"""Decoded for the first chunk at the most: a second of four cores for H.264, two for HEVC in 10 bits."""


def look_grid(video: VideoFacts, targets: VideoTargets) -> Grid:
    """A grid of its own, of short segments: nothing ever switches between it and the ladder's."""
    rules = {"max_fps": min(MAX_FPS, targets.max_fps), "gop_seconds": SEGMENT_SECONDS, "segment_gops": 1}
    return plan_grid(video, targets.model_copy(update=rules))


def plan_look(facts: SourceFacts, rung: Rung, grid: Grid) -> Look:
    """`facts` are those of what is delivered."""
    ladder = Ladder(rungs=(rung,), grid=grid)
    if facts.video is None:
        return Look(ladder=ladder, chunks=(Chunk(),))
    seconds = facts.video.duration or facts.duration
    first = _first_seconds(facts.video)
    lengths = list(_lengths(first, seconds)) if can_cut(facts) else [first, seconds]
    return Look(ladder=ladder, chunks=tuple(_chunks(lengths, seconds, grid)))


def _first_seconds(video: VideoFacts) -> float:
    """Whole segments."""
    affordable = FIRST_PIXELS / max(1.0, video.width * video.height * float(video.fps))
    return SEGMENT_SECONDS if affordable < FIRST_SECONDS else FIRST_SECONDS


def _lengths(first: float, seconds: float) -> Iterator[float]:
    """Of the chunks, until they fill `seconds`."""
    yield first
    at, length = first, first
    while at < seconds:
        yield length
        at += length
        length = min(LONGEST_SECONDS, 2 * length)


def _chunks(lengths: list[float], seconds: float, grid: Grid) -> Iterator[Chunk]:
    """The last one goes to the end, however late that is; a rest shorter than two segments is not worth a chunk."""
    at = 0
    for number, length in enumerate(lengths):
        frames = round(length / SEGMENT_SECONDS) * grid.segment_frames
        if (at + frames) / grid.fps + 2 * SEGMENT_SECONDS > seconds:
            yield Chunk(number=number, first=at)
            return
        yield Chunk(number=number, first=at, frames=frames)
        at += frames
    yield Chunk(number=len(lengths), first=at)
