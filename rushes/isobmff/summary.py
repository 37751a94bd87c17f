"""What a movie says of itself: its tracks as the `moov` box describes them, before any of its samples are there.

Quick whatever is claimed: a bounded number of boxes is looked at, and tables are stepped over or, up to a bound, summed
up, but never spelled out. Without trust: what does not fit into its parent is a BoxError.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import mul

from rushes.isobmff.boxes import Box, BoxError, Data, children, iter_boxes
from rushes.isobmff.fields import Fields
from rushes.isobmff.movie import IDENTITY, Matrix
from rushes.isobmff.sample_entry import SampleEntry, read_sample_entry

FIRST_SAMPLES = 32
"""So many pictures a decoder is fed with at the start; no reordering holds back more."""
_MAX_BOXES = 2048
_MAX_TRACKS = 64
_MAX_ENTRY = 16_384
"""Bytes of a sample description; a longer one is not looked into."""
_MAX_ROWS = 100_000
"""Of all tables of durations that are summed up."""
_MAX_SAMPLES = 500_000
"""Of a track that is looked at sample by sample."""
_MAX_EDITS = 1000
_UNKNOWN = (0, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF)


@dataclass(frozen=True)
class TrackSummary:
    """Seconds are None where the file does not say, or says it in a way that is not summed up here."""

    handler: str
    kinds: tuple[str, ...]
    """Of all sample descriptions: `avc1`, `mp4a`."""
    entry: SampleEntry | None
    """The first description; None where it is damaged or very long."""
    matrix: Matrix
    declared: float | None
    """Seconds by the media header."""
    counted: float | None
    """Seconds of all samples together."""
    shown: float | None
    """Seconds that the edit list shows; None without one."""
    start_reach: int | None
    """The end of the first FIRST_SAMPLES samples, as a position in the file."""
    table: Mapping[str, Box]
    """The boxes of the sample table."""

    def is_sound(self, data: Data, size: int) -> bool:
        """Whether all samples have bytes, and begin within a file of `size`. False also where that takes long to tell."""
        try:
            return _all_have_bytes(data, self.table) and _all_begin_below(data, self.table, size)
        except BoxError:
            return False


@dataclass(frozen=True)
class MovieSummary:
    tracks: tuple[TrackSummary, ...]
    declared: float | None
    """Seconds by the movie header."""
    fragmented: bool
    """There is more to come in movie fragments."""


class _Reader:
    """Boxes by kind, as long as the budget lasts."""

    def __init__(self, data: Data) -> None:
        self.data = data
        self._left = _MAX_BOXES
        self._rows = _MAX_ROWS

    def inside(self, parent: Box) -> Iterator[Box]:
        for child in children(self.data, parent):
            self._left -= 1
            if self._left < 0:
                raise BoxError(f"more than {_MAX_BOXES} boxes")
            yield child

    def may_sum(self, rows: int) -> bool:
        """Whether a table of so many rows is short enough, with those before it."""
        self._rows -= rows
        return self._rows >= 0

    def first(self, parent: Box) -> dict[str, Box]:
        """The first child of each kind."""
        found: dict[str, Box] = {}
        for child in self.inside(parent):
            found.setdefault(child.kind, child)
        return found


def summarize(data: Data, moov: Box) -> MovieSummary:
    """`moov` has to lie in `data` whole; nothing else of the file is looked at. Raises BoxError."""
    reader = _Reader(data)
    top = list(reader.inside(moov))
    header = next((child for child in top if child.kind == "mvhd"), None)
    timescale, duration = _clock(data, _there(header, "mvhd"))
    traks = [child for child in top if child.kind == "trak"]
    if not traks or len(traks) > _MAX_TRACKS:
        raise BoxError(f"the movie has {len(traks)} tracks")
    tracks = tuple(_track(reader, trak, timescale) for trak in traks)
    return MovieSummary(tracks, duration, any(child.kind == "mvex" for child in top))


def _track(reader: _Reader, trak: Box, movie_timescale: int) -> TrackSummary:
    data, boxes = reader.data, reader.first(trak)
    media = reader.first(_there(boxes.get("mdia"), "mdia"))
    handler = Fields.of(data, _there(media.get("hdlr"), "hdlr")).skip(8).raw(4).decode("latin-1")
    timescale, declared = _clock(data, _there(media.get("mdhd"), "mdhd"))
    table = reader.first(_there(reader.first(_there(media.get("minf"), "minf")).get("stbl"), "stbl"))
    stsd = _there(table.get("stsd"), "stsd")
    return TrackSummary(
        handler,
        tuple(_kinds(reader, stsd)),
        _entry(data, stsd, handler),
        _matrix(data, boxes.get("tkhd")),
        declared,
        _counted(reader, table.get("stts"), timescale),
        _shown(reader, boxes.get("edts"), movie_timescale),
        _start_reach(data, table),
        table,
    )


def _there(found: Box | None, kind: str) -> Box:
    if found is None:
        raise BoxError(f"there is no {kind!r} box")
    return found


def _clock(data: Data, header: Box) -> tuple[int, float | None]:
    """(timescale, seconds) of an `mvhd` or `mdhd`, which begin alike."""
    fields = Fields.of(data, header)
    version, _ = fields.version_flags()
    fields.skip(16 if version else 8)
    timescale, duration = fields.unpack("IQ" if version else "II")
    if not timescale:
        raise BoxError(f"{header.kind!r} has the timescale 0")
    return timescale, None if duration in _UNKNOWN else duration / timescale


def _matrix(data: Data, tkhd: Box | None) -> Matrix:
    if tkhd is None:
        return IDENTITY
    fields = Fields.of(data, tkhd)
    version, _ = fields.version_flags()
    a, b, u, c, d, v, x, y, w = fields.skip(48 if version else 36).unpack("9i")
    return a, b, u, c, d, v, x, y, w


def _kinds(reader: _Reader, stsd: Box) -> Iterator[str]:
    inner = Fields.of(reader.data, stsd).skip(8).at
    for entry in reader.inside(Box("stsd", stsd.start, inner, stsd.end)):
        yield entry.kind


def _entry(data: Data, stsd: Box, handler: str) -> SampleEntry | None:
    try:
        first = next(iter_boxes(data, Fields.of(data, stsd).skip(8).at, stsd.end), None)
        if first is None or first.end - first.start > _MAX_ENTRY:
            return None
        return read_sample_entry(data, stsd, handler)
    except (BoxError, IndexError):
        return None


def _counted(reader: _Reader, stts: Box | None, timescale: int) -> float | None:
    if stts is None:
        return None
    fields = Fields.of(reader.data, stts).skip(4)
    rows = fields.one("I")
    if not reader.may_sum(rows):
        return None
    flat = _numbers(fields.raw(8 * rows), "I")
    ticks: int = sum(map(mul, flat[::2], flat[1::2]))
    return ticks / timescale


def _shown(reader: _Reader, edts: Box | None, timescale: int) -> float | None:
    elst = reader.first(edts).get("elst") if edts else None
    if elst is None:
        return None
    fields = Fields.of(reader.data, elst)
    version, _ = fields.version_flags()
    shown = 0
    for _ in range(min(fields.one("I"), _MAX_EDITS)):
        duration, media, _rate = fields.unpack("QqI" if version else "IiI")
        shown += duration if media >= 0 else 0
    return shown / timescale


def _all_have_bytes(data: Data, table: Mapping[str, Box]) -> bool:
    fields = Fields.of(data, _there(table.get("stsz"), "stsz")).skip(4)
    fixed, count = fields.unpack("II")
    if fixed or not 0 < count <= _MAX_SAMPLES:
        return fixed > 0
    return 0 not in array("I", fields.raw(4 * count))


def _all_begin_below(data: Data, table: Mapping[str, Box], size: int) -> bool:
    wide = table.get("co64")
    fields = Fields.of(data, wide or _there(table.get("stco"), "stco")).skip(4)
    count = fields.one("I")
    if not 0 < count <= _MAX_SAMPLES:
        return False
    return max(_numbers(fields.raw((8 if wide else 4) * count), "Q" if wide else "I")) < size


def _numbers(raw: bytes, code: str) -> array[int]:
    found = array(code, raw)
    if sys.byteorder == "little":
        found.byteswap()
    return found


def _start_reach(data: Data, table: Mapping[str, Box]) -> int | None:
    """None for an empty table, as fragmented files have it, and for a damaged one."""
    try:
        return max(end for _, end in _first_samples(data, table))
    except (BoxError, ValueError, OverflowError):
        return None


def _first_samples(data: Data, table: Mapping[str, Box]) -> Iterator[tuple[int, int]]:
    """Where the first samples begin and end."""
    sizes = iter(_first_sizes(data, _there(table.get("stsz"), "stsz")))
    wide = table.get("co64")
    offsets = Fields.of(data, wide or _there(table.get("stco"), "stco")).skip(4)
    chunks = min(offsets.one("I"), FIRST_SAMPLES)
    places = offsets.array("Q" if wide else "I", chunks)
    for place, count in zip(places, _first_chunks(data, _there(table.get("stsc"), "stsc")), strict=False):
        at = place
        for _ in range(count):
            size = next(sizes, None)
            if size is None:
                return
            yield at, at + size
            at += size


def _first_sizes(data: Data, stsz: Box) -> list[int]:
    fields = Fields.of(data, stsz).skip(4)
    fixed, count = fields.unpack("II")
    count = min(count, FIRST_SAMPLES)
    return [fixed] * count if fixed else list(fields.array("I", count))


def _first_chunks(data: Data, stsc: Box) -> list[int]:
    """Samples in each of the first FIRST_SAMPLES chunks."""
    fields = Fields.of(data, stsc).skip(4)
    rows = fields.one("I")
    flat = fields.array("I", 3 * min(rows, FIRST_SAMPLES + 1))
    runs = list(zip(flat[::3], flat[1::3], strict=False))
    counts: list[int] = []
    for number, (_first, count) in enumerate(runs):
        until = runs[number + 1][0] if number + 1 < len(runs) else FIRST_SAMPLES + 1
        counts += [min(count, FIRST_SAMPLES)] * max(0, min(until, FIRST_SAMPLES + 1) - 1 - len(counts))
    return counts
