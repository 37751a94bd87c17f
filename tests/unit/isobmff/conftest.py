"""Movies made of bytes: no encoder is needed to test the reading and writing of boxes."""

from __future__ import annotations

from collections.abc import Callable
from struct import pack

import pytest

from rushes.isobmff.boxes import box, full_box
from rushes.isobmff.movie import MovieTrack
from rushes.isobmff.samples import Sample

AVCC = bytes([1, 0x64, 0x00, 0x1F, 0xFF, 0xE0, 0])
ASC = bytes([0x11, 0x90])  # AAC LC, 48 kHz, stereo
ESDS_BODY = bytes(4) + bytes([3, 22, 0, 1, 0]) + bytes([4, 17, 0x40, 0x15]) + bytes(11) + bytes([5, len(ASC)]) + ASC


def avc1(width: int = 320, height: int = 180, *more: bytes) -> bytes:
    fields = bytes(6) + pack(">H", 1) + bytes(16) + pack(">HH", width, height) + bytes(50)
    return box("avc1", fields, box("avcC", AVCC), *more)


def mp4a(version: int = 0, *, wave: bool = False) -> bytes:
    fields = bytes(6) + pack(">HH", 1, version) + bytes(6) + pack(">HHHHI", 2, 16, 0, 0, 44100 << 16)
    extra = bytes({0: 0, 1: 16, 2: 36}[version])
    esds = box("esds", ESDS_BODY)
    inner = box("wave", box("frma", b"mp4a"), esds, bytes(4)) if wave else esds
    return box("mp4a", fields, extra, inner)


def plain_movie(track: MovieTrack, payload: bytes, *, elst: bytes = b"") -> bytes:
    """`ftyp`, `mdat`, `moov` with one chunk per sample; sample positions are those in `payload`."""
    ftyp = box("ftyp", b"isom", bytes(4))
    base = len(ftyp) + 8
    samples = track.samples
    table = box(
        "stbl",
        full_box("stsd", 0, 0, pack(">I", 1), track.sample_entry),
        full_box("stts", 0, 0, pack(">I", len(samples)), b"".join(pack(">II", 1, s.duration) for s in samples)),
        full_box("ctts", 1, 0, pack(">I", len(samples)), b"".join(pack(">Ii", 1, s.offset) for s in samples)),
        full_box("stss", 0, 0, _numbers([n for n, s in enumerate(samples, 1) if s.sync])),
        full_box("stsz", 0, 0, pack(">I", 0), _numbers([s.size for s in samples])),
        full_box("stsc", 0, 0, pack(">4I", 1, 1, 1, 1)),
        full_box("co64", 0, 0, pack(">I", len(samples)), b"".join(pack(">Q", base + s.position) for s in samples)),
    )
    mdhd = full_box("mdhd", 0, 0, pack(">4I4x", 0, 0, track.timescale, 0))
    hdlr = full_box("hdlr", 0, 0, bytes(4), track.handler.encode(), bytes(13))
    tkhd = full_box("tkhd", 0, 7, pack(">5I16x", 0, 0, track.id, 0, 0), pack(">9i", *track.matrix), bytes(8))
    trak = box("trak", tkhd, elst, box("mdia", mdhd, hdlr, box("minf", table)))
    mvhd = full_box("mvhd", 0, 0, pack(">4I", 0, 0, 1000, 0), bytes(80))
    return ftyp + box("mdat", payload) + box("moov", mvhd, trak)


def _numbers(values: list[int]) -> bytes:
    return pack(f">{len(values) + 1}I", len(values), *values)


def pictures(orders: list[list[int]], step: int = 512) -> tuple[MovieTrack, bytes]:
    """A picture track of closed GOPs. Each list gives the presentation order of one GOP's samples as decoded."""
    samples, payload, first = [], b"", 0
    for order in orders:
        for decoded, shown in enumerate(order):
            number = first + decoded
            content = bytes([number % 251 + 1]) * (number % 7 + 1)
            offset = (first + shown - number + 3) * step
            samples.append(Sample(number * step, offset, step, len(payload), len(content), decoded == 0))
            payload += content
        first += len(order)
    return MovieTrack(1, "vide", 15360, avc1(), "avc1.64001f", 320, 180, samples=samples), payload


@pytest.fixture
def make_pictures() -> Callable[[list[list[int]]], tuple[MovieTrack, bytes]]:
    return pictures


@pytest.fixture
def make_plain() -> Callable[..., bytes]:
    return plain_movie


@pytest.fixture
def make_mp4a() -> Callable[..., bytes]:
    return mp4a


@pytest.fixture
def make_avc1() -> Callable[..., bytes]:
    return avc1
