"""The segment index: where the segments of a file begin and how long they last (ISO/IEC 14496-12 section 8.16.3). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack

from rushes.isobmff.boxes import BoxError, full_box

_MOST_SEGMENTS, _MOST_BYTES = 0xFFFF, 0x7FFFFFFF
_STARTS_WITH_KEY_PICTURE = 0x90000000  # starts_with_SAP, SAP_type 1, SAP_delta_time 0


def segment_index(timescale: int, start: int, pieces: Sequence[tuple[int, int]]) -> bytes:
    """`sidx` for the segments that lie right behind it: (bytes, ticks) of each. `start`: ticks at which the first one is
    shown. Raises BoxError for more than the box can say."""
    if len(pieces) > _MOST_SEGMENTS or any(size > _MOST_BYTES for size, _ in pieces):
        raise BoxError(f"{len(pieces)} segments of up to {max(size for size, _ in pieces)} bytes fit into no index")
    head = pack(">IIQQHH", 1, timescale, start, 0, 0, len(pieces))
    rows = (pack(">III", size, ticks, _STARTS_WITH_KEY_PICTURE) for size, ticks in pieces)
    return full_box("sidx", 1, 0, head, *rows)
