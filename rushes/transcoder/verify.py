"""The check after every encode, on measured numbers: ffmpeg's exit code 0 is not believed. Pure.

What is wrong with our output is our fault (`verify_failed`, retried); what is missing of the source is the creator's
(`truncated`, `no_decodable_frames`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rushes.errors import Blame, StepFailure
from rushes.facts import SourceFacts
from rushes.isobmff.movie import MovieTrack
from rushes.plan import Chunk, Grid, Ladder
from rushes.tracks import Track
from rushes.transcoder.cuts import key_frames


@dataclass(frozen=True)
class Measured:
    """What was found in one rung's file."""

    name: str
    width: int
    height: int
    frames: int
    ticks: int
    """Presentation, first picture to the end of the last, in the grid's timescale."""
    starts_at: int
    """Presentation time of the first picture after the edit list; 0 if all is well."""
    syncs: tuple[int, ...]
    """Indices of the key pictures."""


def measured(name: str, track: MovieTrack) -> Measured:
    syncs = tuple(index for index, sample in enumerate(track.samples) if sample.sync)
    starts_at = track.first_pts - track.media_time
    return Measured(name, track.width, track.height, len(track.samples), track.ticks, starts_at, syncs)


def check_rungs(rungs: Sequence[Measured], ladder: Ladder, chunk: Chunk) -> int:
    """The number of frames that all rungs have of this chunk of the asset; 0 is right only where a source may have ended
    before. Raises StepFailure `no_decodable_frames` or `verify_failed`."""
    frames = rungs[0].frames if rungs else 0
    if not any(rung.frames for rung in rungs):
        if chunk.first:
            return 0
        raise StepFailure("no_decodable_frames")
    most = chunk.frames if chunk.frames is not None else frames
    _expect(frames <= most, f"{rungs[0].name} has {frames} frames instead of {most}")
    _expect(len(rungs) == len(ladder.rungs), f"{len(rungs)} of {len(ladder.rungs)} rungs have pictures")
    for rung, target in zip(rungs, ladder.rungs, strict=True):
        _expect(rung.frames == frames, f"{rung.name} has {rung.frames} frames, {rungs[0].name} has {frames}")
        _expect(
            (rung.width, rung.height) == (target.width, target.height), f"{rung.name} is {rung.width}x{rung.height}"
        )
        _expect(rung.starts_at == 0, f"{rung.name} starts at tick {rung.starts_at}")
        _check_grid(rung, ladder.grid, chunk.first)
    return frames


def expected_frames(chunk: Chunk, declared: float, grid: Grid) -> int:
    """What a chunk gives if the source is as long as it says."""
    left = max(0, round(declared * grid.fps) - chunk.first)
    return left if chunk.frames is None else min(chunk.frames, left)


def _check_grid(rung: Measured, grid: Grid, first: int) -> None:
    """Every segment begins with a key picture, and the frames fill the time exactly."""
    wanted = set(key_frames(rung.frames, grid, first))
    _expect(
        wanted <= set(rung.syncs), f"{rung.name} lacks key pictures at frames {sorted(wanted - set(rung.syncs))[:3]}"
    )
    exact = rung.frames * grid.frame_ticks
    _expect(abs(rung.ticks - exact) <= grid.frame_ticks, f"{rung.name} lasts {rung.ticks} ticks instead of {exact}")


def check_decoded(frames: int, decoded: int | None) -> None:
    """The decode check of the lowest rung found as many pictures as its boxes promise."""
    _expect(decoded is None or decoded == frames, f"{decoded} of {frames} frames of the output decode")


def declared_seconds(facts: SourceFacts) -> float:
    """When the picture ends, from the asset's time zero (the earliest start of a stream; transport streams count from
    anywhere), by what the file says; the whole file's length where the video stream does not say."""
    if facts.video is None or not facts.video.duration:
        return facts.duration
    return lead_seconds(facts) + facts.video.duration


def lead_seconds(facts: SourceFacts) -> float:
    """By how much the picture begins after the asset's time zero; its first frame fills them. 0 where the picture's own
    length is not known: the file's whole length has them in it."""
    if facts.video is None or not facts.video.duration:
        return 0.0
    return facts.video.start - min([facts.video.start, *(stream.start for stream in facts.audio)])


def check_audio(track: MovieTrack, expected: float) -> None:
    """Sound begins at time zero and lasts `expected` seconds to within one frame. Raises StepFailure `verify_failed`."""
    shown = (track.first_pts + track.ticks - track.media_time) / track.timescale
    frame = max((sample.duration for sample in track.samples), default=0) / track.timescale
    _expect(abs(shown - expected) <= frame, f"the sound lasts {shown:.3f} s instead of {expected:.3f} s")
    _expect(track.delay == 0, f"the sound begins {float(track.delay):.3f} s late")


def offsets(video: Track, audio: Track, priming: int) -> tuple[float, float]:
    """Seconds by which the sound starts and ends after the picture. `priming` is in ticks of the audio track."""
    start = (audio.start_ticks - priming) / audio.timescale - video.start_ticks / video.timescale
    return max(0.0, start), start + audio.duration - video.duration


def _expect(condition: bool, otherwise: str) -> None:
    if not condition:
        raise StepFailure("verify_failed", Blame.TRANSIENT, detail=otherwise)
