"""Which steps are done once more when one is taken up again that was done. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rushes.engine.rounds import round_of
from rushes.states import StepKind

PLANNING = frozenset({StepKind.PULL, StepKind.PROBE, StepKind.ANALYZE})
"""The graph was made of what these gave: done again they would not change it. An encode begins from the beginning."""
_LANE = ("first.", "package.first", "verdict.first", "publish.first", "lint.first", "remux")
_ONCE = (".review.", ".retry.")
"""In keys of steps that carried out a decision of their time."""


def is_apart(key: str, kind: str) -> bool:
    """Whether a step is never done again because another one is: cleanups, decisions, and what made the video playable before
    the rest, whose build would have the greater number now."""
    return kind == StepKind.CLEANUP or key.startswith(_LANE) or any(part in key for part in _ONCE)


def from_here(steps: Mapping[str, tuple[str, str]], links: Iterable[tuple[str, str]], start: str) -> list[str]:
    """Ids of the step `start` and of all that rest on it, in the same encode. `steps`: key and kind by id; `links`: a step and
    one that it waits for."""
    behind: dict[str, list[str]] = {}
    for step, after in links:
        behind.setdefault(after, []).append(step)
    number, found, open_ = round_of(steps[start][0]), [start], [start]
    while open_:
        for step in behind.get(open_.pop(), ()):
            if step in found or step not in steps or is_apart(*steps[step]) or round_of(steps[step][0]) != number:
                continue
            found.append(step)
            open_.append(step)
    return found
