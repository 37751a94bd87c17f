"""A movie: its tracks and where their samples lie, from plain and fragmented MP4 and MOV files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from rushes.isobmff.boxes import Box, BoxError, Data, children, find, iter_boxes, need
from rushes.isobmff.edits import Edits, read_edits
from rushes.isobmff.fields import Fields
from rushes.isobmff.fragments import Growing, read_fragment, read_trex
from rushes.isobmff.sample_entry import read_sample_entry
from rushes.isobmff.sample_table import read_sample_table
from rushes.isobmff.samples import MAX_SAMPLES, Budget, Sample

Matrix = tuple[int, int, int, int, int, int, int, int, int]
IDENTITY: Matrix = (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
MAX_TRACKS = 1000
"""As many as demuxers take."""


@dataclass(frozen=True)
class MovieTrack:
    """One track. `samples` are listed for pictures and sound only; other handlers have none here."""

    id: int
    handler: str
    """`vide`, `soun`, or whatever else the file calls it (`tmcd`, `meta`)."""
    timescale: int
    sample_entry: bytes
    """The whole sample entry box, made ISO-clean."""
    codecs: str
    width: int = 0
    """Coded size, before rotation and sample aspect ratio."""
    height: int = 0
    channels: int = 0
    sample_rate: int = 0
    media_time: int = 0
    """Media ticks that the edit list cuts off at the start; priming, for sound."""
    samples: list[Sample] = field(default_factory=list)
    delay: Fraction = Fraction(0)
    """Seconds of an empty edit before the track begins."""
    edits: int = 0
    """Number of edits that show something. More than one is not a simple edit list."""
    matrix: Matrix = IDENTITY
    sar: tuple[int, int] = (1, 1)
    shown: Fraction | None = None
    """Seconds that the only edit shows; None: to the end."""

    @property
    def first_pts(self) -> int:
        """The earliest presentation time of a sample, before the edit list."""
        return min((sample.pts for sample in self.samples), default=0)

    @property
    def ticks(self) -> int:
        """From the first sample's presentation to the end of the last one, edit list apart."""
        return max((sample.pts + sample.duration for sample in self.samples), default=0) - self.first_pts


def read_movie(data: Data, most: int = MAX_SAMPLES) -> list[MovieTrack]:
    """All tracks of a file, of at most `most` samples. Raises BoxError for whatever is not a readable movie.

    Nothing is believed: each box has to fit into its parent, each table into its box, each sample into the file.
    Bytes after the last whole box are ignored in a plain file and an error in a fragmented one, where they may have
    been fragments.
    """
    top, damage = _top_level(data)
    moov = next((found for found in top if found.kind == "moov"), None)
    if moov is None:
        raise damage or BoxError("there is no 'moov' box")
    mvex = find(data, moov, "mvex")
    if mvex and damage:
        raise damage
    budget = Budget(min(most, Budget.of(len(data)).left))
    growing: dict[int, Growing] = {}
    traks = list(_all(data, moov, "trak"))
    if not 0 < len(traks) <= MAX_TRACKS:
        raise BoxError(f"the movie has {len(traks)} tracks")
    clock = timescale_of(data, need(data, moov, "mvhd"))
    tracks = [_read_track(data, trak, clock, (budget, growing)) for trak in traks]
    if mvex:
        for trex in _all(data, mvex, "trex"):
            track, defaults = read_trex(data, trex)
            growing.get(track, Growing()).defaults = defaults
        for moof in (found for found in top if found.kind == "moof"):
            read_fragment(data, moof, growing, budget)
    _check_extent(tracks, len(data))
    return tracks


def _top_level(data: Data) -> tuple[list[Box], BoxError | None]:
    found: list[Box] = []
    try:
        found.extend(iter_boxes(data, 0, len(data)))
    except BoxError as error:
        return found, error
    return found, None


def _all(data: Data, parent: Box, kind: str) -> Iterator[Box]:
    return (child for child in children(data, parent) if child.kind == kind)


def _read_track(data: Data, trak: Box, movie_timescale: int, into: tuple[Budget, dict[int, Growing]]) -> MovieTrack:
    budget, growing = into
    track_id, matrix = _header(data, need(data, trak, "tkhd"))
    if track_id in growing:
        raise BoxError(f"two tracks have the id {track_id}")
    mdia = need(data, trak, "mdia")
    handler = Fields.of(data, need(data, mdia, "hdlr")).skip(8).raw(4).decode("latin-1")
    stbl = need(data, mdia, "minf/stbl")
    entry = read_sample_entry(data, need(data, stbl, "stsd"), handler)
    growing[track_id] = Growing()
    if handler in ("vide", "soun"):
        growing[track_id].samples = read_sample_table(data, stbl, budget)
    edits: Edits = read_edits(data, find(data, trak, "edts/elst"), movie_timescale)
    return MovieTrack(
        track_id,
        handler,
        timescale_of(data, need(data, mdia, "mdhd")),
        entry.content,
        entry.codecs,
        entry.width,
        entry.height,
        entry.channels,
        entry.sample_rate,
        edits.media_time,
        growing[track_id].samples,
        edits.delay,
        edits.count,
        matrix,
        entry.sar,
        edits.shown,
    )


def _header(data: Data, tkhd: Box) -> tuple[int, Matrix]:
    fields = Fields.of(data, tkhd)
    version, _ = fields.version_flags()
    fields.skip(16 if version else 8)
    track_id = fields.one("I")
    a, b, u, c, d, v, x, y, w = fields.skip((12 if version else 8) + 16).unpack("9i")
    return track_id, (a, b, u, c, d, v, x, y, w)


def timescale_of(data: Data, header: Box) -> int:
    """Of an `mvhd` or `mdhd`, which begin alike."""
    fields = Fields.of(data, header)
    version, _ = fields.version_flags()
    timescale = fields.skip(16 if version else 8).one("I")
    if not timescale:
        raise BoxError(f"{header.kind!r} has the timescale 0")
    return timescale


def _check_extent(tracks: list[MovieTrack], size: int) -> None:
    for track in tracks:
        for sample in track.samples:
            if sample.position < 0 or sample.position + sample.size > size:
                raise BoxError(f"a sample of track {track.id} lies at {sample.position}, outside the file")
