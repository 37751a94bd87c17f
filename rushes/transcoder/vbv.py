"""The video buffering verifier: a bucket that fills at the cap and is emptied picture by picture. Pure.

A player that receives a rung at no more than its cap plays it without stopping if the bucket never runs dry (ITU-T H.264
annex C, in the form for variable rates: a full bucket does not fill on). Encoders keep it full enough within what they
encode; whether that still holds where chunks were joined is reckoned here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

FULL_AT_START = 0.9
"""Share of the buffer that x264 and x265 take to be full before the first picture."""


@dataclass(frozen=True)
class Buffering:
    """`underflows`: pictures that were larger than what was there. `lowest` and `left`: the share of the buffer that was full
    right before it was filled again, at the least, and before the picture that would follow the last one."""

    underflows: int
    lowest: float
    left: float


def buffering(sizes: Iterable[int], seconds: float, rate: int, buffer: int, full: float = FULL_AT_START) -> Buffering:
    """Take pictures of `sizes` bytes, in decoding order and `seconds` apart, from a buffer of `buffer` bits that is filled at
    `rate` bits a second and is `full` (a share) when the first one is taken."""
    underflows, level, lowest = 0, buffer * full, float(buffer)
    for size in sizes:
        level -= 8 * size
        underflows += level < 0
        level = max(0.0, level)
        lowest = min(lowest, level)
        level = min(float(buffer), level + rate * seconds)
    return Buffering(underflows, lowest / buffer, level / buffer)
