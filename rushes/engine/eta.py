"""When an asset will be done, and how sure that is. Pure.

The longest way through its steps, each with the wait for its turn; no sooner than its pools get through its work. Errors of
estimates are taken to be independent: their squares add up along the way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rushes.engine.cost import SEEN_ENOUGH, Estimate
from rushes.noun import Noun

Confidence = Literal["high", "medium", "low"]
FOUR_FIFTHS = 1.28
"""Standard deviations to either side that hold 80 % of a normal distribution."""
DEVIATION = 1.25
"""Standard deviation of a normal distribution by its mean absolute deviation."""
QUEUE_DOUBT = 0.5
"""Share of the wait for a turn by which it may be wrong: others come and go."""


class Eta(Noun):
    seconds: float
    earliest: float
    """With `latest`: in four cases of five it is in between, if estimates are as good as they were."""
    latest: float
    confidence: Confidence
    """By how wide that is, and whether the estimates were learned from work that was done."""


@dataclass(frozen=True)
class Task:
    """A step that is not finished."""

    key: str
    pool: str
    after: tuple[str, ...]
    """Keys it waits for; those that are finished do not matter."""
    estimate: Estimate
    left: float = 1.0
    """Share of it that is still to do."""
    begins_in: float = 0.0
    """Seconds before which it may not begin."""
    turn_in: float = 0.0
    """Seconds until its turn comes, once it is ready."""


@dataclass(frozen=True)
class Way:
    """The longest way to the end of a task."""

    seconds: float
    variance: float
    keys: tuple[str, ...]
    fewest: int
    """Attempts that the least known of its estimates was learned from."""


NOWHERE = Way(0.0, 0.0, (), 10**9)


def ways(tasks: Sequence[Task]) -> dict[str, Way]:
    """By key. What waits for each other in a ring (it cannot be) counts from where it is met again."""
    known = {task.key: task for task in tasks}
    found: dict[str, Way] = {}
    for task in tasks:
        _way(task, known, found)
    return found


def _way(task: Task, known: Mapping[str, Task], found: dict[str, Way]) -> Way:
    if task.key not in found:
        found[task.key] = NOWHERE
        before = [_way(known[key], known, found) for key in task.after if key in known]
        last = max(before, key=lambda way: way.seconds, default=NOWHERE)
        found[task.key] = _on(last, task)
    return found[task.key]


def _on(before: Way, task: Task) -> Way:
    guess = task.estimate
    wrong = DEVIATION * guess.spread * task.left * guess.wall / guess.cpu
    return Way(
        seconds=max(before.seconds, task.begins_in) + task.turn_in + guess.wall * task.left,
        variance=before.variance + wrong**2 + (QUEUE_DOUBT * task.turn_in) ** 2,
        keys=(*before.keys, task.key),
        fewest=min(before.fewest, guess.n),
    )


def longest(tasks: Sequence[Task], wanted: Sequence[str]) -> Way:
    """To the last of the `wanted`; of all tasks, if there is none of them."""
    found = ways(tasks)
    chosen = [found[key] for key in wanted if key in found] or list(found.values())
    return max(chosen, key=lambda way: way.seconds, default=NOWHERE)


def eta(tasks: Sequence[Task], wanted: Sequence[str], cores: Mapping[str, float]) -> Eta:
    """`cores` by pool, as far as they work for this asset."""
    way = longest(tasks, wanted)
    seconds = max(way.seconds, *(_through(tasks, pool, number) for pool, number in cores.items()), 0.0)
    doubt = FOUR_FIFTHS * math.sqrt(way.variance)
    return Eta(
        seconds=round(seconds, 1),
        earliest=round(max(0.0, seconds - doubt), 1),
        latest=round(seconds + doubt, 1),
        confidence=_confidence(seconds, doubt, way.fewest),
    )


def _through(tasks: Sequence[Task], pool: str, cores: float) -> float:
    """No pool does the asset's work in less."""
    work = sum(task.estimate.cpu * task.left for task in tasks if task.pool == pool)
    return work / cores if cores > 0 else 0.0


def _confidence(seconds: float, doubt: float, fewest: int) -> Confidence:
    share = doubt / seconds if seconds > 0 else 0.0
    if fewest < SEEN_ENOUGH or share > 1.0:
        return "low"
    return "high" if share <= 0.3 else "medium"
