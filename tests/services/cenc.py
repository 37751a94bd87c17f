"""A decryptor of `cbcs`, straight from ISO/IEC 23001-7 and written without a line of ours: one block of AES at a time, the chain by
hand, the boxes by their fixed places. What it reads from our segments is what the standard says is there."""

from __future__ import annotations

from struct import unpack_from

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import ECB

CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"sinf", b"schi", b"mvex"}
FIELDS = {b"encv": 78, b"enca": 28, b"stsd": 8}


def found(data: bytes, kind: bytes, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """Where the contents of all boxes of a kind lie, at any depth."""
    at, end, places = start, len(data) if end is None else end, []
    while at + 8 <= end:
        size, name = unpack_from(">I4s", data, at)
        if name == kind:
            places.append((at + 8, at + size))
        if name in CONTAINERS or name in FIELDS:
            places += found(data, kind, at + 8 + FIELDS.get(name, 0), at + size)
        at += size
    return places


def only(data: bytes, kind: bytes) -> tuple[int, int]:
    places = found(data, kind)
    assert len(places) == 1, (kind, places)
    return places[0]


def block(key: bytes, data: bytes) -> bytes:
    decryptor = Cipher(AES128(key), ECB()).decryptor()
    return decryptor.update(data) + decryptor.finalize()


def opened_range(data: bytes, key: bytes, iv: bytes, pattern: tuple[int, int]) -> bytes:
    """Section 9.6: `crypt` blocks encrypted, `skip` blocks not, and so on; 0:0 is all of it. A part of a block is clear."""
    crypt, skip = pattern
    out, before = bytearray(data), iv
    for number in range(len(data) // 16):
        if skip and number % (crypt + skip) >= crypt:
            continue
        here = data[number * 16 : number * 16 + 16]
        out[number * 16 : number * 16 + 16] = bytes(a ^ b for a, b in zip(block(key, here), before, strict=True))
        before = here
    return bytes(out)


class Opener:
    """Of one track, by its protected init segment."""

    def __init__(self, init: bytes, key: bytes) -> None:
        at, _ = only(init, b"tenc")
        assert init[at] == 1, "the pattern needs version 1"
        self.pattern = (init[at + 5] >> 4, init[at + 5] & 15)
        protected, size = init[at + 6], init[at + 7]
        assert (protected, size) == (1, 0), "protected, with one vector for all"
        self.kid, length = init[at + 8 : at + 24], init[at + 24]
        self.iv, self.key = init[at + 25 : at + 25 + length], key
        scheme, _ = only(init, b"schm")
        assert init[scheme + 4 : scheme + 8] == b"cbcs"
        frma, _ = only(init, b"frma")
        self.format = init[frma : frma + 4]
        trex, _ = only(init, b"trex")
        self.default_size = unpack_from(">I", init, trex + 16)[0]

    def samples(self, segment: bytes) -> list[bytes]:
        """The decrypted samples, found by `trun`; what of them is protected, by `saio`."""
        moof = found(segment, b"moof")[0][0] - 8
        sizes, at = self._run(segment, moof)
        ranges = self._ranges(segment, moof, len(sizes))
        made = []
        for size, parts in zip(sizes, ranges, strict=True):
            made.append(self._sample(segment[at : at + size], parts))
            at += size
        assert at == only(segment, b"mdat")[1], "the samples end where the data end"
        return made

    def _run(self, segment: bytes, moof: int) -> tuple[list[int], int]:
        at, _ = only(segment, b"trun")
        flags, count, offset = unpack_from(">IIi", segment, at)
        assert flags & 0x1 and flags & 0x200, "offset and sizes are there"
        at += 12 + (4 if flags & 0x4 else 0)
        cells = sum(1 for bit in (0x100, 0x200, 0x400, 0x800) if flags & bit)
        column = 1 if flags & 0x100 else 0
        sizes = [unpack_from(">I", segment, at + 4 * (cells * row + column))[0] for row in range(count)]
        return sizes, moof + offset

    def _ranges(self, segment: bytes, moof: int, count: int) -> list[list[tuple[int, int]] | None]:
        if not found(segment, b"senc"):
            return [None] * count
        saiz, _ = only(segment, b"saiz")
        default, samples = unpack_from(">BI", segment, saiz + 4)
        assert (default, samples) == (0, count)
        sizes = segment[saiz + 9 : saiz + 9 + count]
        saio, _ = only(segment, b"saio")
        entries, offset = unpack_from(">II", segment, saio + 4)
        senc, end = only(segment, b"senc")
        at = moof + offset
        assert entries == 1
        assert at == senc + 8, "`saio` leads to the first description in `senc`"
        found_ranges: list[list[tuple[int, int]] | None] = []
        for size in sizes:
            parts = unpack_from(">H", segment, at)[0]
            assert size == 2 + 6 * parts
            found_ranges.append([unpack_from(">HI", segment, at + 2 + 6 * part) for part in range(parts)])
            at += size
        assert at == end
        return found_ranges

    def _sample(self, data: bytes, parts: list[tuple[int, int]] | None) -> bytes:
        if parts is None:
            return opened_range(data, self.key, self.iv, self.pattern)
        out, at = b"", 0
        for clear, protected in parts:
            out += data[at : at + clear]
            at += clear + protected
            out += opened_range(data[at - protected : at], self.key, self.iv, self.pattern)
        assert at == len(data), "the ranges are the whole sample"
        return out
