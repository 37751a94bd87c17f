"""What a process counts of its work: plain facts, told after the commit to whoever keeps the numbers. The catalog knows no metrics.

In a transaction: `change.happened.append(Fenced())`; it is told when the transaction has been committed, and not at all when
it was rolled back. Outside of one: `store.tell(Repaired("queue_drift"))`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Claimed:
    """A step was claimed."""

    pool: str
    class_: int
    """`engine.classes.Class`."""
    waited: float
    """Seconds for which it could have been running."""


@dataclass(frozen=True)
class Ended:
    """An attempt ended."""

    kind: str
    outcome: str
    """done, skipped, failed, lost, cancelled, released, preempted."""
    reason: str = ""
    """The reason's code where there is one."""
    tenant: str = ""
    seconds: float = 0.0
    """Since its claim."""
    cpu_seconds: float = 0.0
    step: str = ""
    fence: int = 0
    asset: str = ""


@dataclass(frozen=True)
class Fenced:
    """An attempt wanted to write what was no longer its own; nothing was changed."""


@dataclass(frozen=True)
class Repaired:
    """The reconciler put something right: lease_expired, waiting_drift, queue_drift, undispatched, outbox_stuck, delays ...

    Of `lease_expired` also a claim that took back what its own pools had lost.
    """

    kind: str
    count: int = 1


@dataclass(frozen=True)
class Quarantined:
    """A step was set aside because it ends those who touch it."""


@dataclass(frozen=True)
class Preempted:
    """A step was told to make room for a more urgent one."""

    pool: str


@dataclass(frozen=True)
class Unreadable:
    """A step of a kind, pool or version that this process does not know was left to others."""

    kind: str
    version: int


@dataclass(frozen=True)
class Reached:
    """An asset became what its creator waits for, for the first time."""

    state: str
    """playable, ready."""
    seconds: float
    """Since the last byte of its source was stored."""


@dataclass(frozen=True)
class Over:
    """An asset is ready, or has failed."""

    asset: str


@dataclass(frozen=True)
class Folded:
    """History of assets that rest was folded away: how many rows of it."""

    attempts: int = 0
    steps: int = 0
    bundles: int = 0
    """Of the quarantine."""


@dataclass(frozen=True)
class Trouble:
    """The database did not take a transaction."""

    code: str


Happening = (
    Claimed | Ended | Fenced | Repaired | Quarantined | Preempted | Unreadable | Reached | Over | Folded | Trouble
)
Tell = Callable[[Happening], None]
"""Called from any thread; must neither block nor raise."""


def nobody(_: Happening) -> None:
    """Nobody keeps numbers."""
