"""Signs that recognised speech was never said. Pure.

About one Whisper transcript in a hundred holds invented phrases (Koenecke et al. 2024, "Careless Whisper"): loops, and
thanks to viewers over silence or music.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_PHRASES = frozenset(
    [
        "thank you for watching",
        "thanks for watching",
        "thank you so much for watching",
        "please subscribe",
        "please subscribe to my channel",
        "please like and subscribe",
        "dont forget to like and subscribe",
        "subtitles by the amara org community",
        "untertitel der amara org community",
        "untertitel im auftrag des zdf",
        "sous titres realises par la communaute d amara org",
    ]
)
"""Sentences that Whisper invents over silence, as its training captions ended with them."""


@dataclass(frozen=True)
class Heard:
    """What an engine says of one stretch of speech."""

    text: str
    start: float
    end: float
    no_speech: float = 0.0
    """Probability in 0..1 that nothing is said."""
    log_probability: float = 0.0
    """Mean over its tokens, natural logarithm."""


def is_silence(heard: Heard) -> bool:
    """Both signs at once, as in the paper of Whisper (Radford et al. 2022, section 4.5): each alone is often wrong."""
    return heard.no_speech > 0.6 and heard.log_probability < -1.0


def is_loop(text: str) -> bool:
    """The same few words again and again: one sequence of 1 to 8 words makes up most of a text of 8 words or more."""
    words = _plain(text).split()
    if len(words) < 8:
        return False
    return any(_share(words, size) >= 0.6 for size in range(1, 9) if size * 3 <= len(words))


def is_impossible(heard: Heard) -> bool:
    """More letters a second than a mouth can make."""
    return len(heard.text) > 20 and len(heard.text) / max(0.05, heard.end - heard.start) > 45


def is_stock(text: str) -> bool:
    """One of the phrases that are invented most."""
    return _plain(text) in _PHRASES


def credible(segments: Sequence[Heard]) -> list[bool | None]:
    """For each: True keep, False keep but do not trust, None drop."""
    return [_judge(heard, segments[index - 2 : index]) for index, heard in enumerate(segments)]


def _judge(heard: Heard, before: Sequence[Heard]) -> bool | None:
    if is_silence(heard) or is_loop(heard.text) or is_impossible(heard):
        return None
    # A third segment in a row with the same words is a loop across segments.
    if len(before) == 2 and {_plain(one.text) for one in before} == {_plain(heard.text)}:
        return None
    if is_stock(heard.text):
        return None if heard.no_speech > 0.3 else False
    return heard.log_probability >= -1.0 and heard.no_speech <= 0.6


def _share(words: Sequence[str], size: int) -> float:
    """Share of the words that the commonest sequence of `size` words covers, if it comes three times or more."""
    starts = Counter(tuple(words[at : at + size]) for at in range(len(words) - size + 1))
    count = max(starts.values())
    return min(1.0, count * size / len(words)) if count >= 3 else 0.0


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text.lower().replace("'", "")).strip()
