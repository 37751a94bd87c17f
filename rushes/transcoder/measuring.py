"""Measuring what an encode made: VMAF of a few pictures of every rung, all over its length."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from rushes.errors import StepFailure
from rushes.ffmpeg.door import Door
from rushes.isobmff.boxes import BoxError
from rushes.isobmff.movie import MovieTrack
from rushes.isobmff.samples import Sample
from rushes.isobmff.segmenter import cut
from rushes.plan import Chunk, Grid, Ladder
from rushes.transcoder.cuts import key_frames
from rushes.transcoder.delivery import open_movie
from rushes.transcoder.kept import Kept, apart
from rushes.transcoder.scoring import Coded
from rushes.transcoder.trial_encodes import score

log = logging.getLogger("rushes.step")

FEWEST = 8
SECONDS = 5
"""One picture in so many seconds is scored, eight at least. They lie all over a chunk: four pictures at each of three places
said of a clip that its rungs were off by 2 to 3 VMAF, which were right to within 1."""
GOLDEN = 0.618
"""Its multiples, less what is whole of them, fill a part evenly without ever coming back."""


def kept_of(ladder: Ladder, chunk: Chunk, frames: int, folder: Path) -> Kept | None:
    """What the encode of a chunk of `frames` has to keep for this; nothing where the plan does not ask for it."""
    if ladder.viewing is None or frames < 1:
        return None
    return Kept(folder / "kept.yuv", ladder.viewing, samples(frames, ladder.grid, chunk.first))


def samples(frames: int, grid: Grid, first: int) -> tuple[int, ...]:
    """Frames of a chunk that begins at `first` of the grid: one of each of as many equal parts, anywhere in it. To see it, all
    that its GOP has before it must be decoded: where there are many GOPs, it lies in the first half of one."""
    number = max(FEWEST, round(frames / (SECONDS * grid.fps)))
    spread = [int((part + part * GOLDEN % 1) * frames / number) for part in range(number)]
    keys = [*key_frames(frames, grid, first), frames]
    return apart([_early(frame, keys) for frame in spread] if len(keys) > 2 * number else spread)


def measure(door: Door, ladder: Ladder, chunk: Chunk, outputs: Sequence[Path], kept: Kept) -> dict[str, float]:
    """VMAF by rung, of the files that were encoded of a chunk; empty where it cannot be measured: that is no reason to lose what
    was encoded."""
    try:
        there = replace(kept, scored=kept.found(kept.path.stat().st_size))
        if not there.scored:
            return {}
        scores = score(door, there, [_cut_out(output, ladder.grid, chunk, there) for output in outputs])
    except (StepFailure, BoxError, OSError) as error:
        log.warning("%s could not be measured; what was predicted stands: %s", outputs[0].parent, error)
        return {}
    return {rung.name: round(sum(found) / len(found), 3) for rung, found in zip(ladder.rungs, scores, strict=True)}


def _early(frame: int, keys: Sequence[int]) -> int:
    key, following = next(pair for pair in pairwise(keys) if frame < pair[1])
    return key + (frame - key) % max(1, (following - key) // 2)


def _cut_out(output: Path, grid: Grid, chunk: Chunk, kept: Kept) -> Coded:
    """What has to be decoded of an encoded file to see the scored pictures, as a file, and where they are in that."""
    path = output.with_suffix(".cut.mp4")
    with open_movie(output) as movie:
        track = movie.need("vide")
        keys = [*key_frames(len(track.samples), grid, chunk.first), len(track.samples)]
        starts: list[int] = []
        places: list[int] = []
        taken: list[Sample] = []
        for pair in pairwise(keys):
            needed, seen = group(track, pair, kept.scored)
            if seen:
                starts.append(len(taken))
                places += [len(taken) + place for place in seen]
                taken += needed
        pieces = cut(replace(track, samples=taken), movie.data, starts)
        path.write_bytes(pieces.init + b"".join(segment.data for segment in pieces.segments))
    return path, places


def group(track: MovieTrack, span: tuple[int, int], scored: Sequence[int]) -> tuple[list[Sample], list[int]]:
    """The samples of a GOP up to the last picture of it that is scored, and which of them, as seen, are scored."""
    key, end = span
    seen = [frame - key for frame in scored if key <= frame < end]
    if not seen:
        return [], []
    samples = track.samples[key:end]
    latest = sorted(sample.pts for sample in samples)[seen[-1]]
    last = max(index for index, sample in enumerate(samples) if sample.pts <= latest)
    return samples[: last + 1], seen
