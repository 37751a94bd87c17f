"""Captions in fragmented MP4 (ISO/IEC 14496-30 section 7): the form that DASH players load segment by segment. Pure.

A plain WebVTT file beside the manifest would be simpler, but ffmpeg refuses a whole local MPD that names one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from struct import pack

from rushes.isobmff.boxes import box
from rushes.isobmff.init_segment import init_segment
from rushes.isobmff.media_segment import media_segment
from rushes.isobmff.movie import MovieTrack
from rushes.isobmff.samples import Sample
from rushes.model import Cue
from rushes.packaging.webvtt import cue_text

_ENTRY = box("wvtt", bytes(6), pack(">H", 1), box("vttC", b"WEBVTT"))
_NOTHING_SAID = box("vtte")


@dataclass(frozen=True)
class _Span:
    """A cue in ticks. `source` ties together the samples that one cue is spread over."""

    start: int
    end: int
    source: int
    text: str


def wvtt_init(timescale: int) -> bytes:
    return init_segment(MovieTrack(1, "text", timescale, _ENTRY, "wvtt"))


def wvtt_segments(cues: Sequence[Cue], boundaries: Sequence[int], timescale: int) -> list[bytes]:
    """One segment for each pair of neighbouring boundaries (ticks), filled without gaps.

    Samples change wherever a cue begins or ends; a cue that is still seen is repeated in the next sample.
    """
    spans = [
        _Span(round(cue.start * timescale), round(cue.end * timescale), source, cue_text(cue))
        for source, cue in enumerate(cues, 1)
    ]
    return [_segment(spans, begin, end, number) for number, (begin, end) in enumerate(pairwise(boundaries), 1)]


def _segment(spans: Sequence[_Span], begin: int, end: int, number: int) -> bytes:
    shown = [span for span in spans if span.start < end and span.end > begin]
    edges = {begin, end} | {edge for span in shown for edge in (span.start, span.end) if begin < edge < end}
    pairs = list(pairwise(sorted(edges)))
    contents = [_content(shown, start, stop) for start, stop in pairs]
    positions = accumulate(map(len, contents), initial=0)
    samples = [
        Sample(start, 0, stop - start, position, len(content), sync=True)
        for (start, stop), position, content in zip(pairs, positions, contents, strict=False)
    ]
    return media_segment(b"".join(contents), samples, number)[0]


def _content(spans: Sequence[_Span], start: int, stop: int) -> bytes:
    active = [span for span in spans if span.start < stop and span.end > start]
    return b"".join(_cue_box(span) for span in active) or _NOTHING_SAID


def _cue_box(span: _Span) -> bytes:
    return box("vttc", box("vsid", pack(">I", span.source)), box("payl", span.text.encode()))
