"""Captions: a transcript becomes a text track on the segment grid of the pictures. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from typing import Literal

from rushes.model import Cue, TranscriptResult
from rushes.packaging import webvtt, wvtt
from rushes.tracks import Segment, Track

TRANSCRIBES = "public.accessibility.transcribes-spoken-dialog"
_BY_MACHINE = "public.machine-generated"  # AVMediaCharacteristic.machineGenerated, for HLS too


@dataclass(frozen=True)
class Captions:
    """A text track and the files below its prefix, by name: WebVTT segments for HLS, the same as MP4 for DASH."""

    track: Track
    files: Mapping[str, bytes]


def wanted(transcript: TranscriptResult, rule: Literal["trusted", "always", "never"]) -> bool:
    """Whether the profile's rule makes captions of this transcript."""
    return bool(transcript.cues) and (rule == "always" or (rule == "trusted" and transcript.trusted))


def build_captions(transcript: TranscriptResult, grid: Track, parent: str) -> Captions:
    """The captions track below `parent`, with one segment for each segment of `grid` (a track of the same build)."""
    name = f"captions-{(transcript.language or 'und').lower()}"
    end = Fraction(grid.ticks, grid.timescale)
    cues = _clipped(transcript.cues, float(end))
    cuts = list(accumulate((segment.ticks for segment in grid.segments), initial=grid.start_ticks))
    texts = webvtt.segments(cues, [Fraction(ticks, grid.timescale) for ticks in cuts])
    files = {f"{number:05d}.vtt": text.encode() for number, text in enumerate(texts, 1)}
    segments = tuple(
        Segment(name=file, ticks=piece.ticks, size=len(text))
        for (file, text), piece in zip(files.items(), grid.segments, strict=True)
    )
    track = Track(
        name=name,
        kind="text",
        prefix=f"{parent}{name}/",
        init=None,
        codecs="wvtt",
        timescale=grid.timescale,
        segments=segments,
        start_ticks=grid.start_ticks,
        language=transcript.language,
        characteristics=(TRANSCRIBES, _BY_MACHINE),
    )
    return Captions(track, files | _for_dash(cues, cuts, grid.timescale))


def _for_dash(cues: Sequence[Cue], cuts: Sequence[int], timescale: int) -> dict[str, bytes]:
    pieces = enumerate(wvtt.wvtt_segments(cues, cuts, timescale), 1)
    return {"init.mp4": wvtt.wvtt_init(timescale)} | {f"{number:05d}.m4s": piece for number, piece in pieces}


def mp4_form(track: Track) -> Track:
    """A captions track as DASH names it: the MP4 files beside the WebVTT ones, segment for segment."""
    segments = tuple(
        segment.model_copy(update={"name": segment.name.removesuffix(".vtt") + ".m4s"}) for segment in track.segments
    )
    return track.model_copy(update={"init": "init.mp4", "segments": segments})


def _clipped(cues: Sequence[Cue], end: float) -> list[Cue]:
    """Cues in order that are seen for at least a millisecond before the end."""
    shown = [cue.model_copy(update={"start": max(0.0, cue.start), "end": min(cue.end, end)}) for cue in cues]
    return sorted(
        (cue for cue in shown if cue.end - cue.start >= 0.001 and cue.text.strip()), key=lambda cue: cue.start
    )
