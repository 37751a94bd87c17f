"""The top of a Matroska file: how long its segment says it is. Pure; RFC 8794 section 4 (EBML), RFC 9559 section 5.1."""

from __future__ import annotations

HEAD_BYTES = 4096
_HEADER, _SEGMENT, _VOID = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67", b"\xec"
_MOST_BEFORE = 8
"""Elements before the segment, at most."""


def breaks_off(head: bytes, size: int) -> bool | None:
    """Whether a file of `size` bytes, which begins with `head`, ends before its segment does; None where the segment does
    not say how long it is, as that of a live recording."""
    at = 0
    for _ in range(_MOST_BEFORE):
        kind = next((kind for kind in (_HEADER, _SEGMENT, _VOID) if head.startswith(kind, at)), None)
        if kind is None:
            return None
        length = _length(head[at + len(kind) :])
        if length is None:
            return None
        at += len(kind) + length[1] + length[0]
        if kind == _SEGMENT:
            return at > size
    return None


def _length(data: bytes) -> tuple[int, int] | None:
    """An element's size and the bytes that say it; None if it is unknown (all ones) or cut."""
    width = 9 - data[0].bit_length() if data and data[0] else 0
    if not width or len(data) < width:
        return None
    most = (1 << 7 * width) - 1
    value = int.from_bytes(data[:width]) & most
    return None if value == most else (value, width)
