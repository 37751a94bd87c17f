"""Which stretches of a content are tried: few, short, and together like the whole. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MOST = 3
SHARE = 0.11
"""Of the content's length, what is tried at the most: trials cost about twice what the ladder costs for the same frames."""
SHORTEST = 2 / 3
"""Of a GOP, the stretch that is worth trying: each has the decoding before it to pay for as well."""
SEVERAL = 1 / 3
"""The same where one stretch cannot stand for all: several short ones then say more than a long one."""
ALIKE = 0.7
"""Octaves of activity (standard deviation) within which one window stands for all of a content without cuts."""


@dataclass(frozen=True)
class Window:
    """Frames of the grid."""

    first: int
    frames: int


def choose(activity: Sequence[tuple[int, float]], frames: int, gop: int, *, cuts: int) -> list[Window]:
    """At most three windows of at most a GOP. `activity` of GOPs, by the frame at which they begin; `frames`: of the whole.

    They begin where GOPs do, but the only one of what is hardly longer than a GOP lies in its middle.
    Those that are busier and those that are calmer than usual are both represented: the GOPs in the order of their activity
    are divided into as many parts as there are windows, and the middle one of each is taken.
    """
    number = _number([value for _, value in activity], cuts)
    least = max(1, round(gop * (SHORTEST if number == 1 else SEVERAL)))
    length = min(gop, max(least, round(frames * SHARE / number)))
    fitting = [first for first, _ in sorted(activity, key=lambda one: (one[1], one[0])) if first + length <= frames]
    number = min(number, len(fitting))
    if not number:
        return [Window(0, min(frames, length))]
    if number == 1 and frames < 2 * gop:
        return [Window((frames - length) // 2, length)]
    middles = [fitting[int((part + 0.5) * len(fitting) / number)] for part in range(number)]
    return [Window(first, length) for first in sorted(middles)]


def _number(values: Sequence[float], cuts: int) -> int:
    if len(values) < 2:
        return 1
    mean = sum(values) / len(values)
    spread = (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5
    return 1 if spread <= ALIKE and cuts == 0 else min(MOST, len(values))
