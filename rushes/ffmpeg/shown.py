"""Whether a coded frame is ever shown. VP8 and VP9 carry some that only others refer to. Pure."""

from __future__ import annotations


def is_shown(codec: str, first: int, last: int) -> bool:
    """By the first and the last byte of a packet. VP8: RFC 6386 section 9.1. VP9: bitstream guide sections 6.2, B."""
    if codec == "vp8":
        return bool(first >> 4 & 1)
    if codec != "vp9" or first >> 6 != 2:
        return True
    if last & 0xE0 == 0xC0:  # a superframe: hidden frames travel together with one that is shown
        return True
    shift = 2 if first >> 4 & 3 == 3 else 3  # profile 3 has one reserved bit more
    show_existing, show = first >> shift & 1, first >> (shift - 2) & 1
    return bool(show_existing or show)
