"""What speech recognition gives: words with times. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace

WIDE = 2.6
"""How many Latin letters one East Asian character counts for: Netflix allows 16 of them where it allows 42 letters."""


@dataclass(frozen=True)
class Word:
    """One word, spoken from `start` to `end` seconds of the clip."""

    text: str
    start: float
    end: float
    probability: float = 1.0
    trusted: bool = True
    glued: bool = False
    """No space between it and the word before it (Chinese, Japanese, Thai, or the second half of `well-known`)."""


def width(text: str) -> float:
    """Room that a text takes on screen, in Latin letters. Combining marks take none."""
    return sum(
        0 if unicodedata.combining(letter) else WIDE if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def join(words: Iterable[Word]) -> str:
    """The words as running text."""
    return "".join(word.text if word.glued else f" {word.text}" for word in words).strip()


def spread(text: str, start: float, end: float, *, trusted: bool = True) -> list[Word]:
    """Words of a segment of which only the whole has times: each gets time by its length."""
    parts = text.split()
    total = sum(width(part) for part in parts)
    words, now = [], start
    for part in parts:
        until = now + (end - start) * width(part) / total if total else end
        words.append(Word(part, now, until, trusted=trusted))
        now = until
    return words


def fit(words: Iterable[Word], limit: float) -> list[Word]:
    """The same words, none wider than `limit`: a longer one (an address, Chinese without spaces) is cut into pieces."""
    return [piece for word in words for piece in (_cut(word, limit) if width(word.text) > limit else [word])]


def _cut(word: Word, limit: float) -> list[Word]:
    pieces = [""]
    for letter in word.text:
        if pieces[-1] and width(pieces[-1] + letter) > limit:
            pieces.append("")
        pieces[-1] += letter
    timed = spread(" ".join(pieces), word.start, word.end)
    if len(timed) != len(pieces):  # there was white space inside: leave the cutting to that
        return [replace(word, text=one.text, start=one.start, end=one.end) for one in timed]
    return [
        replace(word, text=piece, start=one.start, end=one.end, glued=word.glued or index > 0)
        for index, (piece, one) in enumerate(zip(pieces, timed, strict=True))
    ]
