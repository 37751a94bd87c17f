"""Words with times become captions that can be read. Pure.

Netflix, Timed Text Style Guide: General Requirements (duration, frame gap, line treatment) and the English guide
(42 characters a line, 2 lines, 20 characters per second for adults).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from rushes.enrichment.breaks import cost
from rushes.enrichment.words import Word, fit, join, width
from rushes.model import Cue

_PAUSE = 1.2
"""Seconds of silence that always end a cue."""
_CHAIN = 0.5
"""A shorter pause between cues is closed, so that captions do not flicker (Netflix: 3 to 11 frames at 24 fps)."""
_CUE = 1.5
"""What each further cue costs against bad breaks."""
_STUB = 12
"""A cue narrower than this is over before it is seen."""


@dataclass(frozen=True)
class Style:
    """Limits of a caption. `line` in Latin letters, `speed` in letters a second, times in seconds."""

    line: float = 42
    longest: float = 7.0
    shortest: float = 5 / 6
    speed: float = 20
    gap: float = 2 / 24


def style(size: tuple[int, int] | None, fps: float = 24.0) -> Style:
    """Lines for a picture of that (width, height): 42 letters on wide, 34 on square, 28 on upright; 42 with none."""
    shape = size[0] / max(1, size[1]) if size else inf
    line = 42 if shape >= 1.2 else 34 if shape >= 0.9 else 28
    return Style(line=line, gap=2 / min(max(fps, 10.0), 60.0))


def build(words: Sequence[Word], style: Style, duration: float = inf) -> list[Cue]:
    """Cues in order, none overlapping, none after `duration`, every word in exactly one of them."""
    timed = _in_order(fit((word for word in words if word.text), style.line), duration)
    return _timed(_split(timed, style), style, duration)


def lay(words: Sequence[Word], line: float) -> list[list[Word]] | None:
    """One line if it fits, else two, broken where it hurts least and about even; None if two are not enough."""
    if width(join(words)) <= line:
        return [list(words)]
    marks = [(_line_cost(words, at, line), at) for at in range(1, len(words))]
    best, at = min(marks, default=(inf, 0))
    return None if best == inf else [list(words[:at]), list(words[at:])]


def _line_cost(words: Sequence[Word], at: int, line: float) -> float:
    upper, lower = width(join(words[:at])), width(join(words[at:]))
    if max(upper, lower) > line:
        return inf
    # Bottom-heavy is easier on the picture and the eye: an upper line that is the longer one costs a little more.
    balance = abs(upper - lower) / line * (1.3 if upper > lower else 1.0)
    return cost(words[at - 1], words[at]) + balance


def _in_order(words: Sequence[Word], duration: float) -> list[Word]:
    return sorted((word for word in words if word.start < duration), key=lambda word: word.start)


def _split(words: Sequence[Word], style: Style) -> list[Sequence[Word]]:
    """The cheapest division into cues, by dynamic programming over the places to break."""
    best: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, len(words) + 1):
        best.append(min(_ways(words, end, style, best)))
    cues: list[Sequence[Word]] = []
    end = len(words)
    while end:
        start = best[end][1]
        cues.append(words[start:end])
        end = start
    return cues[::-1]


def _ways(words: Sequence[Word], end: int, style: Style, best: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """(cost, start) of each cue that may end before word `end`. A word alone always may."""
    leaving = _leave_cost(words, end)
    ways = [(best[end - 1][0] + leaving + _cue_cost(words[end - 1 : end], style.line), end - 1)]
    for start in range(end - 2, -1, -1):
        cue = words[start:end]
        if _breaks_rules(cue, style):
            break
        ways.append((best[start][0] + leaving + _cue_cost(cue, style.line), start))
    return ways


def _breaks_rules(cue: Sequence[Word], style: Style) -> bool:
    """A longer cue breaks them too, so the search may stop here."""
    paused = cue[1].start - cue[0].end > _PAUSE
    return paused or cue[-1].end - cue[0].start > style.longest or lay(cue, style.line) is None


def _cue_cost(cue: Sequence[Word], line: float) -> float:
    lines = lay(cue, line) or [list(cue)]
    broken = cost(lines[0][-1], lines[1][0]) if len(lines) > 1 else 0.0
    swallowed = sum(cost(one, two) == 0.0 for one, two in pairwise(cue))
    stub = 1.5 if width(join(cue)) < _STUB else 0.0
    return _CUE + 0.3 * broken + 0.6 * swallowed + stub


def _leave_cost(words: Sequence[Word], end: int) -> float:
    if end == len(words):
        return 0.0
    pause = words[end].start - words[end - 1].end
    return cost(words[end - 1], words[end]) * (0.3 if pause > 0.4 else 1.0)


def _timed(groups: Sequence[Sequence[Word]], style: Style, duration: float) -> list[Cue]:
    cues: list[Cue] = []
    free = 0.0
    for index, group in enumerate(groups):
        start = max(group[0].start, free)
        limit = groups[index + 1][0].start - style.gap if index + 1 < len(groups) else inf
        end = min(_end(group, start, limit, style), duration)
        free = end + style.gap
        if end > start:
            cues.append(
                Cue(start=round(start, 3), end=round(end, 3), text=_text(group, style.line), trusted=_sure(group))
            )
    return cues


def _end(group: Sequence[Word], start: float, limit: float, style: Style) -> float:
    """Long enough to be read where the next cue allows it, never over `style.longest`, never nothing."""
    reading = max(style.shortest, width(join(group)) / style.speed)
    end = max(group[-1].end, start + reading)
    if limit - end < _CHAIN:
        end = max(end, limit) if limit - end > 0 else limit
    return max(min(end, start + style.longest), start + style.gap)


def _text(group: Sequence[Word], line: float) -> str:
    return "\n".join(join(words) for words in lay(group, line) or [list(group)])


def _sure(group: Sequence[Word]) -> bool:
    return all(word.trusted for word in group)
