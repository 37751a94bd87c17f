"""Boxes: the one structure of an ISO base media file (ISO/IEC 14496-12 section 4.2), read without trust and written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import pack, unpack_from
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import mmap

Data: TypeAlias = "bytes | mmap.mmap"

_MAX_SIBLINGS = 1_000_000  # a file of empty boxes must not keep us busy for hours


class BoxError(ValueError):
    """The bytes are not the file they claim to be, or use a form we do not read; the text says which."""


@dataclass(frozen=True, slots=True)
class Box:
    """Where a box lies: `start` of its header, `body` after the header, `end` one past its last byte."""

    kind: str
    start: int
    body: int
    end: int


def iter_boxes(data: Data, start: int, end: int) -> Iterator[Box]:
    """The boxes that fill `start..end`. Raises BoxError at the first that does not fit into it."""
    for _ in range(_MAX_SIBLINGS):
        if start >= end:
            return
        found = _read_header(data, start, end)
        yield found
        start = found.end
    raise BoxError(f"more than {_MAX_SIBLINGS} boxes side by side")


def _read_header(data: Data, start: int, end: int) -> Box:
    if end - start < 8:
        raise BoxError(f"{end - start} stray bytes at {start}, too few for a box")
    size, name = unpack_from(">I4s", data, start)
    kind, body = name.decode("latin-1"), start + 8
    if size == 1:
        if end - start < 16:
            raise BoxError(f"box {kind!r} at {start} has no room for its 64-bit size")
        size, body = unpack_from(">Q", data, body)[0], start + 16
    elif size == 0:
        size = end - start
    if size < body - start or size > end - start:
        raise BoxError(f"box {kind!r} at {start} says it has {size} bytes; {end - start} are there")
    return Box(kind, start, body, start + size)


def children(data: Data, parent: Box, skip: int = 0) -> Iterator[Box]:
    """The boxes inside a container box, after `skip` bytes of its own fields."""
    return iter_boxes(data, parent.body + skip, parent.end)


def find(data: Data, parent: Box, path: str) -> Box | None:
    """The first box at a path such as `mdia/minf/stbl` below `parent`, or None."""
    current = parent
    for kind in path.split("/"):
        match = next((child for child in children(data, current) if child.kind == kind), None)
        if match is None:
            return None
        current = match
    return current


def need(data: Data, parent: Box, path: str) -> Box:
    """Like `find`; a missing box is a BoxError."""
    found = find(data, parent, path)
    if found is None:
        raise BoxError(f"box {parent.kind!r} at {parent.start} has no {path!r}")
    return found


def box(kind: str, *parts: bytes) -> bytes:
    """A box with these parts as its content. Contents of 4 GB and more get the 64-bit form."""
    size = 8 + sum(map(len, parts))
    if size < 1 << 32:
        return b"".join((pack(">I4s", size, kind.encode("latin-1")), *parts))
    return b"".join((pack(">I4sQ", 1, kind.encode("latin-1"), size + 8), *parts))


def full_box(kind: str, version: int, flags: int, *parts: bytes) -> bytes:
    """A box that begins with version and flags."""
    return box(kind, pack(">I", version << 24 | flags), *parts)
