"""Whose turn it is: start-time fair queueing over lanes (Goyal, Vin, Cheng 1996, section 2). Pure.

A lane holds the ready steps of one pool, class, tenant and graph version. Its tag is the CPU seconds it was given, divided by
its tenant's weight; the least tag of the highest class goes first, of equal ones the one that was served longest ago. The
catalog does this in SQL, the simulator here.
"""

from __future__ import annotations

from dataclasses import dataclass

AGED_SHARE = 8
"""One claim in so many, at random, goes to the lane that was served longest ago, whatever its class: nothing starves, and the
fast lane loses an eighth at most, and only while something is too old."""
MOST_CORRECTED = 10.0
"""An estimate that was wrong by more than so many times itself is corrected by this much."""


@dataclass(frozen=True)
class Share:
    """What a tenant gets of the workers while others wait too."""

    weight: float = 1.0
    running: int = 0
    """Steps of one pool that it may have running at a time. 0: no limit."""


def entered(tag: float, floor: float) -> float:
    """A lane that becomes ready again starts level with those that are: what was given while it was away is neither owed to
    it nor held against it. `floor` is the least tag of the open lanes of its pool and class whose tenants may have
    more running; where there is none, the greatest of all."""
    return max(tag, floor)


def charged(tag: float, estimate: float, weight: float) -> float:
    """At the claim; `estimate` in CPU seconds."""
    return tag + estimate / weight


def corrected(tag: float, estimate: float, actual: float, weight: float) -> float:
    """At the end of an attempt: what it really took counts. 0 for a copied result."""
    return tag + owed(estimate, actual) / weight


def owed(estimate: float, actual: float) -> float:
    """CPU seconds by which an attempt took more than its tenant was charged, as far as they count."""
    return min(MOST_CORRECTED * max(estimate, 0.05), actual - estimate)


def is_aged_turn(chance: float) -> bool:
    """`chance` in [0, 1) is drawn for each claim."""
    return chance < 1 / AGED_SHARE
