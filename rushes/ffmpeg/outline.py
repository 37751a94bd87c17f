"""The top of an MP4 file: is its index there, is it whole, is it encrypted? Read without trust, box by box.

ISO/IEC 14496-12 section 4.2 (boxes), 8.12 and ISO/IEC 23001-7 (protection). Unlike `rushes.isobmff` this forgives:
a wrong size ends the walk, not the program, because the demuxer forgives as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
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
_INTO = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
_PROTECTED = (b"encv", b"enca", b"drmi", b"drms")


@dataclass(frozen=True)
class Outline:
    has_index: bool = False
    fragmented: bool = False
    complete: bool = True
    """The last box of a known kind ends where the file ends, or before."""
    encrypted: bool = False


def read_outline(file: BinaryIO, size: int) -> Outline:
    """Walk the top level; of the index, only the sample descriptions."""
    index, fragmented, encrypted, last = False, False, False, 0
    for kind, start, end in _top(file, size):
        if kind in _KNOWN:  # junk behind the end can look like a box
            last = end
        if kind == b"moov":
            index = True
            file.seek(start)
            body = file.read(min(end - start, size - start, _MAX_INDEX))
            encrypted = encrypted or any(entry in _PROTECTED for entry in _sample_entries(body))
        fragmented = fragmented or kind == b"moof"
    return Outline(index, fragmented, last <= size, encrypted)


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


def _sample_entries(body: bytes) -> Iterator[bytes]:
    """Kinds of all sample entries below an index."""
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
        elif kind == b"stsd":
            yield from _entries(body[at + 16 : stop])


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
