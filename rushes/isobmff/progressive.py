"""A progressive MP4: one file with the index in front, so that it plays while it is loaded (ISO/IEC 14496-12). Pure.

Made of tracks that exist, sample by sample; nothing is encoded again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, groupby
from struct import pack

from rushes.isobmff.boxes import BoxError, Data, box, full_box
from rushes.isobmff.movie import IDENTITY, MovieTrack
from rushes.isobmff.samples import Sample

INTERLEAVED = Fraction(1)
"""Seconds of one track before the other follows: what a player has to hold of the one while it waits for the other."""
_FTYP = box("ftyp", b"isom", pack(">I", 0x200), b"isom", b"iso2", b"avc1", b"mp41")
_MEDIA_HEADERS = {"vide": full_box("vmhd", 0, 1, bytes(8)), "soun": full_box("smhd", 0, 0, bytes(4))}
_UNDETERMINED = 0x55C4  # `und`, three letters of five bits
_LARGE = 1 << 32


@dataclass(frozen=True)
class Source:
    """A track and the data that its samples lie in."""

    track: MovieTrack
    data: Data


@dataclass(frozen=True)
class _Run:
    """Neighbouring samples of one track, which lie side by side in the new file."""

    source: int
    start: Fraction
    samples: list[Sample]

    @property
    def size(self) -> int:
        return sum(sample.size for sample in self.samples)


def progressive(sources: Sequence[Source]) -> Iterator[bytes]:
    """The file's bytes, piece by piece: the head with the index, then the samples. Raises BoxError for an empty track."""
    if not sources or any(not source.track.samples for source in sources):
        raise BoxError("a track has no samples to deliver")
    runs = sorted(
        (run for number, source in enumerate(sources) for run in _runs(number, source.track)),
        key=lambda run: (run.start, run.source),
    )
    size = sum(run.size for run in runs)
    head = _head(sources, runs, size)
    yield head
    for run in runs:
        data = sources[run.source].data
        yield b"".join(data[sample.position : sample.position + sample.size] for sample in run.samples)


def _runs(number: int, track: MovieTrack) -> list[_Run]:
    def beat(sample: Sample) -> int:
        return int(Fraction(sample.dts, track.timescale) / INTERLEAVED)

    grouped = (list(group) for _, group in groupby(track.samples, beat))
    return [_Run(number, Fraction(group[0].dts, track.timescale), group) for group in grouped]


def _head(sources: Sequence[Source], runs: Sequence[_Run], size: int) -> bytes:
    """`ftyp`, `moov` and the header of `mdat`. The offsets do not change the size, so a first draft tells where data begin."""
    wide = size + (1 << 24) >= _LARGE  # the head itself is smaller than that
    mdat = pack(">I4sQ", 1, b"mdat", size + 16) if wide else pack(">I4s", size + 8, b"mdat")
    draft = _moov(sources, runs, 0, wide=wide)
    return _FTYP + _moov(sources, runs, len(_FTYP) + len(draft) + len(mdat), wide=wide) + mdat


def _moov(sources: Sequence[Source], runs: Sequence[_Run], first: int, *, wide: bool) -> bytes:
    offsets = list(accumulate((run.size for run in runs), initial=first))
    places = [
        [(at, run) for at, run in zip(offsets, runs, strict=False) if run.source == number]
        for number in range(len(sources))
    ]
    timescale = sources[0].track.timescale
    traks = [
        _trak(source.track, number, timescale, _table(source.track, places[number - 1], wide=wide))
        for number, source in enumerate(sources, 1)
    ]
    longest = max(_shown(source.track, timescale) for source in sources)
    times = pack(">QQIQ", 0, 0, timescale, longest)
    rest = pack(">IH10x", 0x10000, 0x100) + pack(">9i", *IDENTITY) + bytes(24) + pack(">I", len(sources) + 1)
    return box("moov", full_box("mvhd", 1, 0, times, rest), *traks)


def _shown(track: MovieTrack, timescale: int) -> int:
    """How long the track is shown, in ticks of the movie, without what comes before it."""
    end = max(sample.pts + sample.duration for sample in track.samples) - track.samples[0].dts
    return round(Fraction(max(1, end - track.media_time), track.timescale) * timescale)


def _trak(track: MovieTrack, number: int, timescale: int, table: bytes) -> bytes:
    shown, delay = _shown(track, timescale), round(Fraction(track.samples[0].dts, track.timescale) * timescale)
    sound = track.handler == "soun"
    head = pack(">QQIIQ8x4H", 0, 0, number, 0, delay + shown, 0, int(sound), 0x100 if sound else 0, 0)
    width = min(0xFFFF, round(track.width * track.sar[0] / track.sar[1])) << 16
    size = pack(">II", width, track.height << 16)
    edits = [(delay, -1)] * bool(delay) + [(shown, track.media_time)]
    rows = b"".join(pack(">QqI", duration, media, 0x10000) for duration, media in edits)
    ticks = sum(sample.duration for sample in track.samples)
    mdia = box(
        "mdia",
        full_box("mdhd", 1, 0, pack(">QQIQHH", 0, 0, track.timescale, ticks, _UNDETERMINED, 0)),
        full_box("hdlr", 0, 0, bytes(4), track.handler.encode("latin-1"), bytes(12), b"rushes\0"),
        box("minf", _MEDIA_HEADERS[track.handler], _data_here(), table),
    )
    return box(
        "trak",
        full_box("tkhd", 1, 3, head, pack(">9i", *IDENTITY), size),
        box("edts", full_box("elst", 1, 0, pack(">I", len(edits)), rows)),
        mdia,
    )


def _data_here() -> bytes:
    return box("dinf", full_box("dref", 0, 0, pack(">I", 1), full_box("url ", 0, 1)))


def _table(track: MovieTrack, places: Sequence[tuple[int, _Run]], *, wide: bool) -> bytes:
    samples = track.samples
    sizes = [sample.size for sample in samples]
    offsets = [at for at, _ in places]
    boxes = [
        full_box("stsd", 0, 0, pack(">I", 1), track.sample_entry),
        _pairs("stts", [sample.duration for sample in samples]),
        _pairs("ctts", [sample.offset for sample in samples]) if any(sample.offset for sample in samples) else b"",
        _syncs(samples),
        _chunks([len(run.samples) for _, run in places]),
        full_box("stsz", 0, 0, pack(f">II{len(sizes)}I", 0, len(sizes), *sizes)),
        full_box(
            "co64" if wide else "stco", 0, 0, pack(f">I{len(offsets)}{'Q' if wide else 'I'}", len(offsets), *offsets)
        ),
    ]
    return box("stbl", *boxes)


def _pairs(kind: str, values: Sequence[int]) -> bytes:
    """Run-length coded: how many, value. Offsets are never negative in tracks of ours."""
    runs = [(sum(1 for _ in group), value) for value, group in groupby(values)]
    return full_box(kind, 0, 0, pack(">I", len(runs)), *(pack(">II", count, value) for count, value in runs))


def _syncs(samples: Sequence[Sample]) -> bytes:
    numbers = [number for number, sample in enumerate(samples, 1) if sample.sync]
    if len(numbers) == len(samples):
        return b""
    return full_box("stss", 0, 0, pack(f">I{len(numbers)}I", len(numbers), *numbers))


def _chunks(counts: Sequence[int]) -> bytes:
    """`stsc`: from which chunk on there are how many samples in each."""
    rows, at = [], 1
    for count, group in groupby(counts):
        rows.append(pack(">III", at, count, 1))
        at += sum(1 for _ in group)
    return full_box("stsc", 0, 0, pack(">I", len(rows)), *rows)
