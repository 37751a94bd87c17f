"""How files are damaged: blindly, and by what their container means. Pure: the same seed makes the same file."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from random import Random

TELLING = (0, 1, 2, 7, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
"""Numbers at which counters turn over and lengths become absurd."""
HEADER = 8192
_PARENTS = frozenset(
    (
        b"moov",
        b"trak",
        b"mdia",
        b"minf",
        b"stbl",
        b"dinf",
        b"edts",
        b"udta",
        b"mvex",
        b"moof",
        b"traf",
        b"mfra",
        b"meta",
    )
)
_TABLES = (
    b"mvhd", b"tkhd", b"mdhd", b"elst", b"stts", b"ctts", b"stss", b"stsc", b"stsz", b"stco", b"co64", b"stsd", b"hdlr",
    b"tfhd", b"tfdt", b"trun", b"trex", b"mfhd", b"avcC", b"hvcC", b"esds", b"sgpd", b"sbgp", b"cslg", b"dref",
)  # fmt: skip
_ELEMENTS = (
    b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67", b"\x15\x49\xa9\x66", b"\x16\x54\xae\x6b", b"\x1f\x43\xb6\x75",
    b"\x1c\x53\xbb\x6b", b"\x2a\xd7\xb1", b"\x44\x89", b"\xae", b"\xd7", b"\x86", b"\x63\xa2", b"\xe0", b"\xb0", b"\xba",
    b"\xe1", b"\xb5", b"\xe7", b"\xa3", b"\xa0", b"\xa1", b"\x53\xb8", b"\x55\xb0",
)  # fmt: skip
"""Of Matroska (RFC 9559): head, segment, info, tracks, cluster, cues, clocks, codecs, sizes, blocks."""
Mutation = Callable[[bytearray, Random, Sequence[bytes]], bytearray]


def mutate(data: bytes, others: Sequence[bytes], random: Random) -> tuple[bytes, str]:
    """A damaged copy, by one to three mutations, and their names."""
    damaged, names = bytearray(data), []
    usable = [*_BLIND, *_by_container(data) * 2]
    for mutation in random.choices(usable, k=random.choice((1, 1, 1, 2, 3))):
        damaged = mutation(damaged, random, others)
        names.append(mutation.__name__.strip("_"))
    return bytes(damaged), "+".join(names)


def _by_container(data: bytes) -> list[Mutation]:
    if data[4:8] in (b"ftyp", b"moov", b"wide", b"mdat"):
        return [_box_size, _box_kind, _box_gone, _box_twice, _box_swapped, _table_field, _table_field, _cut_in_box]
    if data[:4] == b"\x1a\x45\xdf\xa3":
        return [_element_size, _element_value, _element_value]
    if data[:1] == b"\x47" and data[188:189] == b"\x47":
        return [_packet_gone, _packet_twice, _packet_field, _packet_field]
    return []


# -- Blind ------------------------------------------------------------------------------------------------------------


def _flips(data: bytearray, random: Random, others: Sequence[bytes]) -> bytearray:
    for _ in range(random.choice((1, 4, 16, 64, max(1, len(data) // 500)))):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return data


def _header_flips(data: bytearray, random: Random, others: Sequence[bytes]) -> bytearray:
    for _ in range(random.choice((1, 2, 8))):
        data[random.randrange(min(len(data), HEADER))] ^= 1 << random.randrange(8)
    return data


def _numbers(data: bytearray, random: Random, others: Sequence[bytes]) -> bytearray:
    """A telling number somewhere, in one of the usual widths and orders."""
    for _ in range(random.randint(1, 4)):
        _put(data, random.randrange(len(data)), random)
    return data


def _put(data: bytearray, at: int, random: Random) -> None:
    code = random.choice((">B", ">H", ">I", "<I", ">Q"))
    size = struct.calcsize(code)
    if at + size <= len(data):
        struct.pack_into(code, data, at, random.choice(TELLING) & ((1 << 8 * size) - 1))


def _erased(data: bytearray, random: Random, others: Sequence[bytes]) -> bytearray:
    start, end = _stretch(data, random)
    data[start:end] = bytes(end - start)
    return data


def _noise(data: bytearray, random: Random, others: Sequence[bytes]) -> bytearray:
    start, end = _stretch(data, random)
    data[start:end] = random.randbytes(end - start)
    return data


def _cut(data: bytearray, random: Random, others: Sequence[bytes]) -> bytearray:
    return data[: random.randint(1, len(data))]


def _headless(data: bytearray, random: Random, others: Sequence[bytes]) -> bytearray:
    return data[random.randint(1, min(len(data), 4096)) :] or data


def _gone(data: bytearray, random: Random, others: Sequence[bytes]) -> bytearray:
    start, end = _stretch(data, random)
    return data[:start] + data[end:] or data


def _twice(data: bytearray, random: Random, others: Sequence[bytes]) -> bytearray:
    start, end = _stretch(data, random)
    return data[:end] + data[start:]


def _spliced(data: bytearray, random: Random, others: Sequence[bytes]) -> bytearray:
    """The head of one file and the tail of another."""
    other = random.choice(others)
    return data[: random.randint(1, len(data))] + other[random.randrange(len(other)) :]


def _grafted(data: bytearray, random: Random, others: Sequence[bytes]) -> bytearray:
    """A piece of another file inside."""
    other = random.choice(others)
    start, end = _stretch(other, random)
    at = random.randint(0, len(data))
    return data[:at] + other[start:end] + data[at:]


_BLIND: list[Mutation] = [
    _flips, _header_flips, _numbers, _erased, _noise, _cut, _headless, _gone, _twice, _spliced, _grafted,
]  # fmt: skip


def _stretch(data: Sequence[int], random: Random) -> tuple[int, int]:
    start = random.randrange(len(data))
    return start, min(len(data), start + random.choice((1, 16, 188, 1024, 16384, max(1, len(data) // 4))))


# -- MP4 --------------------------------------------------------------------------------------------------------------


def boxes(
    data: bytes | bytearray, start: int = 0, end: int | None = None, depth: int = 0
) -> Iterator[tuple[int, int, bytes]]:
    """(start, end, kind) of every box, parents before their children."""
    end = len(data) if end is None else end
    while start + 8 <= end and depth < 12:
        size, kind = int.from_bytes(data[start : start + 4]), bytes(data[start + 4 : start + 8])
        stop = end if size == 0 else min(end, start + size)
        if size not in (0, 1) and size < 8:
            return
        yield start, stop, kind
        if kind in _PARENTS:
            yield from boxes(data, start + 8, stop, depth + 1)
        elif kind == b"stsd":
            for at in range(start + 16, stop, max(8, stop - start - 16)):
                yield from boxes(data, at + 8 + 78, stop, depth + 1)
        if size in (0, 1):
            return
        start = stop


def _box(data: bytearray, random: Random) -> tuple[int, int, bytes]:
    found = list(boxes(data))
    return random.choice(found) if found else (0, min(8, len(data)), b"")


def _box_size(data: bytearray, random: Random, others: Sequence[bytes]) -> bytearray:
    start, end, _ = _box(data, random)
    if start + 4 <= len(data):
        sizes = (0, 1, 7, 8, 16, end - start - 1, end - start + 1, len(data), 0x7FFFFFFF, 0xFFFFFFFF)
        struct.pack_into(">I", data, start, max(0, random.choice(sizes)) & 0xFFFFFFFF)
    return data


def _box_kind(data: bytearray, random: Random, others: Sequence[bytes]) -> bytearray:
    start, _, _ = _box(data, random)
    kind = random.choice(
        (b"free", b"moov", b"trak", b"moof", b"mdat", b"uuid", b"meta", b"\0\0\0\0", b"cmov", *_TABLES)
    )
    data[start + 4 : start + 8] = kind
    return data


def _box_gone(data: bytearray, random: Random, others: Sequence[bytes]) -> bytearray:
    start, end, _ = _box(data, random)
    return data[:start] + data[end:] or data


def _box_twice(data: bytearray, random: Random, others: Sequence[bytes]) -> bytearray:
    start, end, kind = _box(data, random)
    return data if kind == b"mdat" else data[:end] + data[start:]


def _box_swapped(data: bytearray, random: Random, others: Sequence[bytes]) -> bytearray:
    (one, one_end, _), (two, two_end, _) = sorted((_box(data, random), _box(data, random)))
    if one_end > two:
        return data
    return data[:one] + data[two:two_end] + data[one_end:two] + data[one:one_end] + data[two_end:]


def _table_field(data: bytearray, random: Random, others: Sequence[bytes]) -> bytearray:
    """A telling number in a table that players believe."""
    tables = [(start, end) for start, end, kind in boxes(data) if kind in _TABLES and end - start > 12]
    for start, end in random.sample(tables, min(len(tables), random.randint(1, 2))):
        _put(data, start + 8 + 4 * random.randrange(max(1, min(40, (end - start - 8) // 4))), random)
    return data


def _cut_in_box(data: bytearray, random: Random, others: Sequence[bytes]) -> bytearray:
    start, end, _ = _box(data, random)
    return data[: max(1, random.randint(start, max(start, end)))]


# -- Matroska ---------------------------------------------------------------------------------------------------------


def _elements(data: bytearray) -> list[int]:
    """Where the bodies' lengths of known elements may begin; a few are chance."""
    found = []
    for name in _ELEMENTS:
        at = -1
        for _ in range(20):
            at = data.find(name, at + 1)
            if at < 0:
                break
            found.append(at + len(name))
    return [at for at in found if at < len(data) - 9]


def _element_size(data: bytearray, random: Random, others: Sequence[bytes]) -> bytearray:
    places = _elements(data)
    if places:
        at = random.choice(places)
        length = random.choice(
            (b"\x80", b"\x81", b"\xff", b"\x01\xff\xff\xff\xff\xff\xff\xff", b"\x1f\xff\xff\xff", b"\x00")
        )
        data[at : at + (1 if random.random() < 0.5 else len(length))] = length
    return data


def _element_value(data: bytearray, random: Random, others: Sequence[bytes]) -> bytearray:
    places = _elements(data)
    if places:
        _put(data, random.choice(places) + 1, random)
    return data


# -- MPEG-TS ----------------------------------------------------------------------------------------------------------


def _packet(data: bytearray, random: Random) -> int:
    return 188 * random.randrange(max(1, len(data) // 188))


def _packet_gone(data: bytearray, random: Random, others: Sequence[bytes]) -> bytearray:
    at = _packet(data, random)
    return data[:at] + data[at + 188 * random.randint(1, 20) :] or data


def _packet_twice(data: bytearray, random: Random, others: Sequence[bytes]) -> bytearray:
    at, to = _packet(data, random), _packet(data, random)
    return data[:to] + data[at : at + 188 * random.randint(1, 20)] + data[to:]


def _packet_field(data: bytearray, random: Random, others: Sequence[bytes]) -> bytearray:
    """Headers, clocks and tables lie in the first bytes of a packet."""
    for _ in range(random.randint(1, 8)):
        at = _packet(data, random) + random.randrange(24)
        if at < len(data):
            data[at] = random.choice((0, 0xFF, data[at] ^ 1 << random.randrange(8)))
    return data
