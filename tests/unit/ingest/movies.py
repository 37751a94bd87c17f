"""MP4 files made of bytes: their boxes are right, their samples are noise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from struct import pack

from rushes.isobmff.boxes import box, full_box
from tests.unit.isobmff.conftest import avc1, mp4a

SAMPLE = 4096
RATE = 30


@dataclass(frozen=True)
class Kind:
    handler: str = "vide"
    entry: bytes = avc1()
    seconds: float = 4.0
    edited: float | None = None
    """Seconds that its edit list shows."""
    declared: float | None = None
    """Seconds by its header; None: as many as there are."""
    sample: int = SAMPLE


PICTURE = Kind()
SOUND = Kind("soun", mp4a())
TIMECODE = Kind("tmcd", box("tmcd", bytes(6) + pack(">H", 1) + bytes(18)))
UNKNOWN_CODEC = Kind(entry=avc1().replace(b"avc1", b"vvc1"))
PROTECTED = Kind(entry=avc1().replace(b"avc1", b"encv"))
FTYP = box("ftyp", b"isom", bytes(4), b"isom")


def movie(*kinds: Kind, last: bool = False, fragmented: bool = False, filler: int = 0) -> bytes:
    """The samples of one track after another; the index before them, or `last`."""
    chosen = kinds or (PICTURE,)
    payload = b"".join(bytes([number + 1]) * _size(kind) for number, kind in enumerate(chosen))
    free = box("free", bytes(filler)) if filler else b""
    if last:
        return FTYP + free + box("mdat", payload) + _moov(chosen, len(FTYP + free) + 8, fragmented)
    size = len(FTYP + free + _moov(chosen, 0, fragmented)) + 8
    return FTYP + free + _moov(chosen, size, fragmented) + box("mdat", payload)


def longer(kind: Kind, seconds: float) -> Kind:
    return replace(kind, seconds=seconds, sample=1)


def _count(kind: Kind) -> int:
    return round(kind.seconds * RATE)


def _size(kind: Kind) -> int:
    return _count(kind) * kind.sample


def _moov(kinds: tuple[Kind, ...], base: int, fragmented: bool) -> bytes:
    traks = []
    for number, kind in enumerate(kinds, 1):
        traks.append(_trak(kind, number, base))
        base += _size(kind)
    mvhd = full_box("mvhd", 0, 0, pack(">4I", 0, 0, 1000, round(kinds[0].seconds * 1000)), bytes(80))
    return box("moov", mvhd, *traks, *([box("mvex")] if fragmented else []))


def _trak(kind: Kind, number: int, base: int) -> bytes:
    count = _count(kind)
    table = box(
        "stbl",
        full_box("stsd", 0, 0, pack(">I", 1), kind.entry),
        full_box("stts", 0, 0, pack(">III", 1, count, 1000)),
        full_box("stsz", 0, 0, pack(">II", kind.sample, count)),
        full_box("stsc", 0, 0, pack(">4I", 1, 1, count, 1)),
        full_box("stco", 0, 0, pack(">II", 1, base)),
    )
    ticks = round((kind.seconds if kind.declared is None else kind.declared) * RATE * 1000)
    mdhd = full_box("mdhd", 0, 0, pack(">4I4x", 0, 0, RATE * 1000, ticks))
    hdlr = full_box("hdlr", 0, 0, bytes(4), kind.handler.encode(), bytes(13))
    tkhd = full_box("tkhd", 0, 7, pack(">5I16x", 0, 0, number, 0, 0), pack(">9i", *_UPRIGHT), bytes(8))
    edits = b""
    if kind.edited is not None:
        edits = box("edts", full_box("elst", 0, 0, pack(">IIiI", 1, round(kind.edited * 1000), 0, 0x10000)))
    return box("trak", tkhd, edits, box("mdia", mdhd, hdlr, box("minf", table)))


_UPRIGHT = (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
