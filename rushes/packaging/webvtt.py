"""Segmented WebVTT for HLS (W3C WebVTT section 4; RFC 8216bis section 3.1.4). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise

from rushes.model import Cue

_MAP = "X-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000"


def segments(cues: Sequence[Cue], boundaries: Sequence[Fraction]) -> list[str]:
    """One file for each pair of neighbouring boundaries (seconds), none left out even if nothing is said in it.

    A cue that spans boundaries is in every file it touches, with its full times, as the RFC asks.
    """
    head = f"WEBVTT\n{_MAP}"
    return [
        _document(head, (cue for cue in cues if cue.start < end and cue.end > start))
        for start, end in pairwise(boundaries)
    ]


def _document(head: str, cues: Iterable[Cue]) -> str:
    # The empty line at the end lets readers that join segments (ffmpeg) see where the last cue ends.
    blocks = [f"{_clock(cue.start)} --> {_clock(cue.end)}\n{cue_text(cue)}" for cue in cues]
    return "\n\n".join([head, *blocks]) + "\n\n"


def _clock(time: float) -> str:
    milliseconds = max(0, round(time * 1000))
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"


def cue_text(cue: Cue) -> str:
    """A cue's text as WebVTT: it cannot end its cue (an empty line), start a tag or look like a timing line."""
    plain = cue.text.replace("\0", "").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "\n".join(line.strip() for line in plain.splitlines() if line.strip())
