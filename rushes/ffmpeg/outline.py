"""The top of an MP4 file: is its index there, is it whole, is it encrypted? Read without trust, box by box.

ISO/IEC 14496-12 section 4.2 (boxes), 8.12 and ISO/IEC 23001-7 (protection). Unlike `rushes.isobmff` this forgives:
a wrong size ends the walk, not the program, because the demuxer forgives as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

_MAX_BOXES = 100_000
_MAX_INDEX = 64 * 1024 * 1024
_KNOWN = frozenset(
    (
        b"ftyp",
        b"styp",
        b"moov",
        b"moof",
        b"mdat",
        b"mfra",
        b"sidx",
        b"free",
        b"skip",
        b"wide",
        b"uuid",
        b"meta",
        b"udta",
    )
)
_INTO = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts")
_TELEMETRY = (b"gpmd", b"camm", b"mebx", b"rtmd", b"djmd", b"CTMD", b"rtp ", b"fdsc")
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")  # ISO 16684-3
_PROTECTED = (b"encv", b"enca", b"drmi", b"drms")


@dataclass(frozen=True)
class Outline:
    has_index: bool = False
    fragmented: bool = False
    complete: bool = True
    """The last box of a known kind ends where the file ends, or before."""
    encrypted: bool = False
    edits: int = 0
    """Stretches that the edit list of a track shows, of the track that has most; 0: no edit list."""
    dolby_vision: int | None = None
    """The profile of Dolby Vision that a sample entry declares (Dolby Vision Streams Within the ISO Base Media File
    Format, section 3.2)."""
    index_bytes: int = 0
    """Of the `moov`, as far as the file has them."""
    telemetry: bool = False
    """A track or box in which cameras write places, movements or serial numbers."""


def read_outline(file: BinaryIO, size: int) -> Outline:
    """Walk the top level; of the index, only the sample descriptions."""
    fragmented, xmp, last, found = False, False, 0, Outline()
    for kind, start, end in _top(file, size):
        if kind in _KNOWN:  # junk behind the end can look like a box
            last = end
        if kind == b"moov" and not found.has_index:
            file.seek(start)
            found = _index(file.read(min(end - start, size - start, _MAX_INDEX)), min(end, size) - start)
        if kind == b"uuid":
            file.seek(start)
            xmp = xmp or file.read(16) == _XMP
        fragmented = fragmented or kind == b"moof"
    whole = last <= size
    return replace(found, fragmented=fragmented, complete=whole, telemetry=found.telemetry or xmp)


def _index(body: bytes, length: int) -> Outline:
    encrypted, telemetry, edits, vision = False, False, 0, None
    for kind, start, end in _leaves(body):
        if kind == b"elst":
            edits = max(edits, _edits(body[start:end]))
        elif kind == b"stsd":
            entries = body[start + 8 : end]
            encrypted = encrypted or any(entry in _PROTECTED for entry in _entries(entries))
            telemetry = telemetry or any(entry in _TELEMETRY for entry in _entries(entries))
            vision = vision if vision is not None else _dolby_vision(entries)
    return Outline(
        has_index=True,
        encrypted=encrypted,
        edits=edits,
        dolby_vision=vision,
        index_bytes=length,
        telemetry=telemetry,
    )


def _edits(body: bytes) -> int:
    """Entries that show something (ISO/IEC 14496-12 section 8.6.6); an empty one has media time -1."""
    size, at = (20, 8) if body[:1] == b"\1" else (12, 4)
    rows = range(8, min(len(body), 8 + int.from_bytes(body[4:8]) * size) - size + 1, size)
    return sum(body[row + at] < 0x80 for row in rows)


def _dolby_vision(entries: bytes) -> int | None:
    for kind in (b"dvcC", b"dvvC", b"dvwC"):
        at = entries.find(kind)
        if 4 <= at <= len(entries) - 8:
            return entries[at + 6] >> 1
    return None


def _top(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start of the body, end as declared) of each box."""
    at = 0
    for _ in range(_MAX_BOXES):
        if at >= size:
            return  # a length of 64 bits may lead further than a file can be sought
        file.seek(at)
        header = file.read(16)
        if len(header) < 8:
            return
        length, body = int.from_bytes(header[:4]), at + 8
        if length == 1 and len(header) == 16:
            length, body = int.from_bytes(header[8:]), at + 16
        elif length == 0:
            length = size - at
        if length < body - at or not _is_kind(header[4:8]):
            return
        yield header[4:8], body, at + length
        at += length


def _leaves(body: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start, end) of the edit lists and sample descriptions below an index."""
    pending = [(0, len(body))]
    for _ in range(_MAX_BOXES):
        if not pending:
            return
        at, end = pending.pop()
        length = int.from_bytes(body[at : at + 4])
        kind = body[at + 4 : at + 8]
        stop = min(at + length, end) if length else end
        if end - at < 8 or 0 < length < 8:
            continue
        pending.append((stop, end))
        if kind in _INTO:
            pending.append((at + 8, stop))
        elif kind in (b"stsd", b"elst"):
            yield kind, at + 8, stop


def _entries(body: bytes) -> Iterator[bytes]:
    at = 0
    while at + 8 <= len(body):
        yield body[at + 4 : at + 8]
        length = int.from_bytes(body[at : at + 4])
        if length < 8:
            return
        at += length


def _is_kind(kind: bytes) -> bool:
    return all(0x20 <= byte < 0x7F or byte == 0xA9 for byte in kind)
