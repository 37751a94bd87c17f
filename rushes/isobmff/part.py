"""Which bytes of a plain MP4 or MOV file are needed to decode a part of one of its tracks. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from rushes.isobmff.boxes import Box, BoxError, Data, children, find, iter_boxes, need
from rushes.isobmff.edits import read_edits
from rushes.isobmff.fields import Fields
from rushes.isobmff.movie import timescale_of
from rushes.isobmff.sample_table import first_position, read_sample_table
from rushes.isobmff.samples import Budget, Sample

HEAD = 512 * 1024
"""Bytes from the first sample of each track on, by which a reader finds out what the tracks are."""
GROUPS_BEFORE = 1
"""Groups of pictures before the one that is wanted: readers that look for a key picture by decoding time begin earlier."""
SAMPLES_AFTER, SECONDS_AFTER = 128, 2
"""How far decoders read ahead: for reordering, and for each of their threads."""
GAP = 128 * 1024
"""Bytes that are rather read than asked around."""
MOST_BOXES = 200
MOST_INDEX = 128 * 2**20
_HEADER = 16
_MEDIA = frozenset(("mdat", "free", "skip", "wide"))


@dataclass(frozen=True)
class Window:
    """Seconds of a track's presentation, counted from `zero`, which is a time of the movie. `stop` None is its end."""

    zero: Fraction
    start: Fraction
    stop: Fraction | None


def read_index(data: Data, size: int, fetch: Callable[[range], None]) -> Box:
    """The movie box, after everything but the media was asked for: `fetch` puts bytes of the file into `data`.

    Raises BoxError where there is none, it is very long, or the file is fragmented: then it has no one index.
    """
    at, moov, asked = 0, None, 0
    for _ in range(MOST_BOXES):
        if at >= size:
            break
        fetch(range(at, min(at + _HEADER, size)))
        found = next(iter_boxes(data, at, size))
        if found.kind == "moof":
            raise BoxError("the file is fragmented")
        if found.kind not in _MEDIA:
            asked += found.end - found.start
            if asked > MOST_INDEX:
                raise BoxError(f"the index has more than {MOST_INDEX} bytes")
            fetch(range(found.start, found.end))
        moov = found if found.kind == "moov" else moov
        at = found.end
    if moov is None or find(data, moov, "mvex"):
        raise BoxError("there is no one index")
    return moov


def part(data: Data, moov: Box, number: int, window: Window) -> list[range]:
    """Spans of the file, ascending, by which track `number` (counted from 0) can be decoded within a window.

    Raises BoxError where the index does not tell: it is damaged, or the edit list has several edits.
    """
    traks = [child for child in children(data, moov) if child.kind == "trak"]
    if number >= len(traks):
        raise BoxError(f"there are {len(traks)} tracks")
    heads = [first_position(data, need(data, trak, "mdia/minf/stbl")) for trak in traks]
    spans = [range(head, head + HEAD) for head in heads if head is not None]
    samples = _samples(data, moov, traks[number], window)
    return merged([*spans, *(range(sample.position, sample.position + sample.size) for sample in samples)])


def merged(spans: Iterable[range]) -> list[range]:
    """Ascending, without overlaps, and without gaps that are not worth a request."""
    found: list[range] = []
    for span in sorted(spans, key=lambda span: span.start):
        if found and span.start - found[-1].stop <= GAP:
            found[-1] = range(found[-1].start, max(found[-1].stop, span.stop))
        elif span:
            found.append(span)
    return found


def _samples(data: Data, moov: Box, trak: Box, window: Window) -> list[Sample]:
    """In decoding order: from a key picture before the window to well behind it."""
    mdia = need(data, trak, "mdia")
    if Fields.of(data, need(data, mdia, "hdlr")).skip(8).raw(4) != b"vide":
        raise BoxError("the track is not a picture")
    edits = read_edits(data, find(data, trak, "edts/elst"), timescale_of(data, need(data, moov, "mvhd")))
    if edits.count > 1:
        raise BoxError("the edit list has several edits")
    timescale = timescale_of(data, need(data, mdia, "mdhd"))
    samples = read_sample_table(data, need(data, mdia, "minf/stbl"), Budget.of(len(data)))
    shift = window.zero - edits.delay
    start = edits.media_time + (window.start + shift) * timescale
    return samples[_first(samples, start) : _last(samples, window, edits.media_time + shift * timescale, timescale)]


def _first(samples: list[Sample], start: Fraction) -> int:
    before = [index for index, sample in enumerate(samples) if sample.sync and sample.pts <= start]
    return before[-1 - GROUPS_BEFORE] if len(before) > GROUPS_BEFORE else 0


def _last(samples: list[Sample], window: Window, zero: Fraction, timescale: int) -> int:
    if window.stop is None:
        return len(samples)
    end = zero + window.stop * timescale
    shown = max((index for index, sample in enumerate(samples) if sample.pts <= end), default=0)
    later = bisect_right(samples, int(end) + SECONDS_AFTER * timescale, key=lambda sample: sample.dts)
    return max(shown + SAMPLES_AFTER, later) + 1
