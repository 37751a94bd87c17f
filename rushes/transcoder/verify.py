"""The check after every encode, on measured numbers: ffmpeg's exit code 0 is not believed. Pure.

What is wrong with our output is our fault (`verify_failed`, retried); what is missing of the source is the creator's
(`truncated`, `no_decodable_frames`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rushes.errors import Blame, StepFailure
from rushes.facts import SourceFacts
from rushes.isobmff.movie import MovieTrack
from rushes.model import Grid, Ladder, Track

MISSING_SECONDS = 0.5
SEEN_DAMAGE_SECONDS = 0.1
"""Seconds of difference that count as missing once the decoder has reported errors."""
MISSING_SHARE = 0.03
"""Declared durations are wrong by a frame or two in good files; more than both of these is a loss."""


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


def check_rungs(rungs: Sequence[Measured], ladder: Ladder) -> int:
    """The number of frames that all rungs have. Raises StepFailure `no_decodable_frames` or `verify_failed`."""
    frames = rungs[0].frames if rungs else 0
    if not any(rung.frames for rung in rungs):
        raise StepFailure("no_decodable_frames")
    _expect(len(rungs) == len(ladder.rungs), f"{len(rungs)} of {len(ladder.rungs)} rungs have pictures")
    for rung, target in zip(rungs, ladder.rungs, strict=True):
        _expect(rung.frames == frames, f"{rung.name} has {rung.frames} frames, {rungs[0].name} has {frames}")
        _expect(
            (rung.width, rung.height) == (target.width, target.height), f"{rung.name} is {rung.width}x{rung.height}"
        )
        _expect(rung.starts_at == 0, f"{rung.name} starts at tick {rung.starts_at}")
        _check_grid(rung, ladder.grid)
    return frames


def _check_grid(rung: Measured, grid: Grid) -> None:
    """Every segment begins with a key picture, and the frames fill the time exactly."""
    wanted = set(range(0, rung.frames, grid.gop_frames))
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


def missing_seconds(declared: float, decoded: float, errors: int = 0) -> float:
    """How much of the declared length did not come out; 0 within what rounding explains, which is less where the
    decoder complained."""
    missing = declared - decoded
    tolerated = SEEN_DAMAGE_SECONDS if errors else max(MISSING_SECONDS, declared * MISSING_SHARE)
    return round(missing, 3) if missing > tolerated else 0.0


def refuse_partial(missing: float, policy: Literal["publish", "hold", "refuse"]) -> None:
    """Raises StepFailure `truncated` where the policy wants whole videos only."""
    if missing and policy == "refuse":
        raise StepFailure("truncated", detail=f"{missing:.3f} s of the declared length could not be decoded")


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
