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

MOST_GUESSED = 0.2
"""Share of the way that may be new without making all of it unsure: a pointer that is written takes no time worth knowing."""
BEAT = 5.0
"""Seconds that what a step said of its progress may be old (`Settings.heartbeat_seconds`)."""
AT_LEAST = 0.25
"""Share of a step that is taken to be left as long as it has not ended, whatever the clock says."""


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
    crowded: float = 0.0
    """Share of its time by which that may be wrong though its CPU seconds are right: what runs beside it is never the same."""


def left(progress: float, elapsed: float, wall: float) -> float:
    """Share of a running step that is still to do: what the clock says, no more than what the step has said of itself and no less
    than what it may have done since. A short one ends before it has said anything. Of one that takes longer than it should, the
    clock knows nothing."""
    if elapsed >= wall:
        return 1 - progress if progress else AT_LEAST
    since = min(BEAT, elapsed) / wall
    clock = max(AT_LEAST, 1 - elapsed / wall)
    return min(max(clock, 1 - progress - since), 1 - progress)


@dataclass(frozen=True)
class Way:
    """The longest way to the end of a task."""

    seconds: float
    variance: float
    keys: tuple[str, ...]
    guessed: float = 0.0
    """Seconds of it that nobody has seen work of before."""


NOWHERE = Way(0.0, 0.0, ())


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
    seconds = guess.wall * task.left
    wrong = DEVIATION * guess.spread * seconds / guess.cpu
    return Way(
        seconds=max(before.seconds, task.begins_in) + task.turn_in + seconds,
        variance=before.variance + wrong**2 + (task.crowded * seconds) ** 2 + (QUEUE_DOUBT * task.turn_in) ** 2,
        keys=(*before.keys, task.key),
        guessed=before.guessed + (seconds if guess.n < SEEN_ENOUGH else 0.0),
    )


def longest(tasks: Sequence[Task], wanted: Sequence[str]) -> Way:
    """To the last of the `wanted`; of all tasks, if there is none of them."""
    found = ways(tasks)
    chosen = [found[key] for key in wanted if key in found] or list(found.values())
    return max(chosen, key=lambda way: way.seconds, default=NOWHERE)


def eta(tasks: Sequence[Task], wanted: Sequence[str], cores: Mapping[str, float]) -> Eta:
    """`cores` by pool, as far as they work for this asset."""
    way, needed = longest(tasks, wanted), _needed(tasks, wanted)
    seconds = max(way.seconds, *(_through(needed, pool, number) for pool, number in cores.items()), 0.0)
    doubt = FOUR_FIFTHS * math.sqrt(way.variance)
    return Eta(
        seconds=round(seconds, 1),
        earliest=round(max(0.0, seconds - doubt), 1),
        latest=round(seconds + doubt, 1),
        confidence=_confidence(seconds, doubt, way.guessed),
    )


def _needed(tasks: Sequence[Task], wanted: Sequence[str]) -> list[Task]:
    """Those without which the wanted do not end; all, if there is none of them."""
    known = {task.key: task for task in tasks}
    waiting = [key for key in wanted if key in known] or list(known)
    found: dict[str, Task] = {}
    while waiting:
        key = waiting.pop()
        if key in known and key not in found:
            found[key] = known[key]
            waiting += known[key].after
    return list(found.values())


def _through(tasks: Sequence[Task], pool: str, cores: float) -> float:
    """No pool does the asset's work in less."""
    work = sum(task.estimate.cpu * task.left for task in tasks if task.pool == pool)
    return work / cores if cores > 0 else 0.0


def _confidence(seconds: float, doubt: float, guessed: float) -> Confidence:
    share = doubt / seconds if seconds > 0 else 0.0
    if guessed > MOST_GUESSED * seconds or share > 1.0:
        return "low"
    return "high" if share <= 0.3 else "medium"
