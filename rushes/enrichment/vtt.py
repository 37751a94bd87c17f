"""WebVTT as text (W3C WebVTT, Candidate Recommendation of 4 April 2019, section 4). Pure."""

from __future__ import annotations

from collections.abc import Iterable

from rushes.model import Cue

CONTENT_TYPE = "text/vtt; charset=utf-8"


def write(cues: Iterable[Cue]) -> str:
    """A whole file, cues in the given order; one that would be shorter than a millisecond or empty is left out.

    A file without cues is valid and means that nothing is said.
    """
    blocks = [block for cue in cues if (block := _block(cue))]
    return "\n\n".join(["WEBVTT", *blocks]) + "\n"


def timestamp(seconds: float) -> str:
    """`3723.4567` -> `01:02:03.457`. Times before zero are zero. Section 4.1: hours have two digits or more."""
    return _clock(_milliseconds(seconds))


def escape(text: str) -> str:
    """Text that cannot end its cue, start a tag or look like a timing line (section 4.2.2).

    Line breaks are kept; empty lines, which would end the cue, and control characters are dropped.
    """
    plain = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    lines = [
        "".join(letter for letter in line if letter >= " " and letter != "\x7f").strip() for line in plain.split("\n")
    ]
    joined = "\n".join(line for line in lines if line)
    return joined.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _block(cue: Cue) -> str | None:
    start, end = _milliseconds(cue.start), _milliseconds(cue.end)
    text = escape(cue.text)
    if end <= start or not text:
        return None
    return f"{_clock(start)} --> {_clock(end)}\n{text}"


def _milliseconds(seconds: float) -> int:
    return max(0, round(seconds * 1000))


def _clock(milliseconds: int) -> str:
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"
