"""Which bulk steps make room for something more urgent. Pure.

A step is handed back whole: what it did is lost, so the one that did least goes first, and none goes twice too often. Chunks
are short (about 20 CPU seconds), which bounds what is lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rushes.engine.classes import Class
from rushes.states import APART, Pool

PATIENCE = 5.0
"""Seconds that something urgent waits before anybody has to make room: most slots are free again by then."""
MOST_TIMES = 3
"""Times a step makes room; after that it is left to its end, or bulk would never end beside a busy day."""
NEARLY_DONE = 0.8
"""Progress from which it is sooner done than done again."""


@dataclass(frozen=True)
class Running:
    step: str
    class_: Class
    spent: float
    """CPU seconds of this attempt so far."""
    progress: float
    preempted: int
    told: bool = False
    """It was asked to stop already."""


@dataclass(frozen=True)
class Shared:
    """Slots of one worker."""

    pools: frozenset[str]
    """Whose steps take them."""
    slots: int


def share_of(pool: Pool, pools: Sequence[str], slots: int, own: Mapping[str, int]) -> Shared:
    """The slots of a worker that steps of `pool` get. `slots`: of all its heavy pools; `own`: those that some have for
    themselves, theirs among them (`workers.slots`)."""
    if pool in own:
        return Shared(frozenset({pool.value}), own[pool])
    heavy = frozenset(pools) - {one.value for one in APART}
    return Shared(heavy - own.keys(), slots - sum(own.get(name, 0) for name in heavy))


def chosen(urgent: int, free: int, running: Sequence[Running]) -> list[str]:
    """Steps of one pool that have to make room. `urgent`: ready steps above bulk that have waited too long; `free`: slots
    that are free for them. As many as are missing, those first that lose least."""
    leaving = sum(one.told for one in running)
    missing = urgent - free - leaving
    candidates = [one for one in running if _may_go(one)]
    candidates.sort(key=lambda one: (one.spent, one.step))
    return [one.step for one in candidates[: max(0, missing)]]


def _may_go(one: Running) -> bool:
    return one.class_ is Class.BULK and not one.told and one.preempted < MOST_TIMES and one.progress < NEARLY_DONE
