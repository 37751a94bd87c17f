"""A look at the index of a source where it lies, before any of it is fetched: could it be delivered as it is?"""

from __future__ import annotations

from rushes.isobmff.boxes import BoxError, iter_boxes
from rushes.storage.store import ObjectStore

MAX_BOXES = 32
"""Boxes at the top of a file that are looked at; a fragmented one has more, and its index is among the first."""
MAX_INDEX = 32_000_000
"""Bytes. Two hours of picture and sound have 4 MB of index."""
_HEADER = 16


def why_not(store: ObjectStore, key: str, size: int) -> str | None:
    """Why the source cannot be plain MP4 with H.264, as a short phrase; None if it may be. Reads headers and the index only.

    Raises StoreError.
    """
    at = 0
    for _ in range(MAX_BOXES):
        if at + 8 > size:
            break
        kind, end = _header(_read(store, key, at, min(size, at + _HEADER)), at, size)
        if end <= at or end > size or not kind.isascii():
            break
        if kind == b"moov":
            return _of_index(_read(store, key, at, min(end, at + MAX_INDEX)), end - at)
        at = end
    return "it is no MP4 with an index"


def _header(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    """Kind and end of the box whose first bytes these are (ISO/IEC 14496-12 section 4.2)."""
    short = int.from_bytes(data[:4], "big")
    if short == 0:
        return data[4:8], size
    return data[4:8], at + (int.from_bytes(data[8:16], "big") if short == 1 else short)


def _of_index(moov: bytes, size: int) -> str | None:
    if size > MAX_INDEX:
        return "its index is too large"
    try:
        next(iter_boxes(moov, 0, len(moov)))
    except (BoxError, StopIteration):
        return "its index is broken"
    return None if b"avc1" in moov and b"avcC" in moov else "the video codec is not H.264"


def _read(store: ObjectStore, key: str, start: int, stop: int) -> bytes:
    with store.fetch(key, start, stop).stream as stream:
        return stream.read(stop - start)
