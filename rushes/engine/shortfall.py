"""How much of a source did not come out of its encode, over all its chunks. Pure.

A chunk says what it was to give and what it gave (`TracksResult.expected_seconds`, `decoded_seconds`), and for how long of that
a picture only stands for others that are lost (`missing_seconds`); what that means for the video is known only when all are
there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rushes.errors import StepFailure
from rushes.model import TracksResult

MISSING_SECONDS = 0.5
SEEN_DAMAGE_SECONDS = 0.1
"""Seconds of difference that count as missing once the decoder has reported errors."""
MISSING_SHARE = 0.03
"""Declared durations are wrong by a frame or two in good files; more than both of these is a loss."""
_ROUNDING = 0.0005


def missing_seconds(declared: float, decoded: float, errors: int = 0) -> float:
    """How much of the declared length did not come out; 0 within what rounding explains, which is less where the
    decoder complained."""
    missing = declared - decoded
    tolerated = SEEN_DAMAGE_SECONDS if errors else max(MISSING_SECONDS, declared * MISSING_SHARE)
    return round(missing, 3) if missing > tolerated else 0.0


def refuse_partial(missing: float, policy: Literal["publish", "hold", "refuse"]) -> None:
    """Raises StepFailure `truncated` where the policy wants whole videos only."""
    if missing and policy == "refuse":
        raise StepFailure("truncated", detail=f"{missing:.3f} s of the declared length could not be decoded")


def contiguous(chunks: Sequence[TracksResult]) -> list[TracksResult]:
    """Of the chunks in order, those up to the first that is shorter than it was to be: its end is the end of the video, as
    it would be if the source were read in one piece. What a later chunk could still read is left out, and counts as missing.
    """
    for number, chunk in enumerate(chunks, 1):
        if _given(chunk) < (chunk.expected_seconds or 0.0) - _ROUNDING:
            return list(chunks[:number])
    return list(chunks)


def missing_of(chunks: Sequence[TracksResult]) -> float:
    """Seconds that are missing of the whole, whose chunks these are. What each has found missing by itself where they do
    not say what they were to give."""
    if any(chunk.expected_seconds is None for chunk in chunks):
        return max((chunk.missing_seconds for chunk in chunks), default=0.0)
    given = sum(_given(chunk) - chunk.missing_seconds for chunk in contiguous(chunks))
    declared = sum(chunk.expected_seconds or 0.0 for chunk in chunks)
    return missing_seconds(declared, given, sum(chunk.decode_errors for chunk in chunks))


def _given(chunk: TracksResult) -> float:
    return chunk.decoded_seconds or 0.0
