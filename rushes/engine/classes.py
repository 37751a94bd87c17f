"""Priority classes of steps, and the deadlines by which steps of one class go one before the other. Pure."""

from __future__ import annotations

from enum import IntEnum


class Class(IntEnum):
    """A higher one goes first, but for what has waited too long (`engine.fair`)."""

    BULK = 0
    """Nobody waits: imports, a back catalogue encoded again."""
    ENRICH = 1
    """What adorns an asset."""
    NORMAL = 2
    """What completes it."""
    FAST = 3
    """What makes it playable, and takedowns."""


TARGET = {Class.FAST: 2.0, Class.NORMAL: 60.0, Class.ENRICH: 3600.0, Class.BULK: 86_400.0}
"""Seconds within which a step of a class is to begin: added to the time of its planning it gives its deadline."""


def class_of(priority: int) -> Class:
    """Of a step's priority (`engine.specs`, with its asset's added)."""
    if priority >= 20:
        return Class.FAST
    if priority > 0:
        return Class.NORMAL
    return Class.ENRICH if priority > -10 else Class.BULK


_SHIFT = {Class.FAST: 10, Class.NORMAL: 0, Class.ENRICH: -20, Class.BULK: -100}
MOST = 29
"""No asset's step goes before a takedown (30)."""


def shift_of(chosen: Class) -> int:
    """What is added to the priorities of an asset's steps whose work an operator moves to a class (`Asset.priority`): `fast`
    lifts each by a class, `bulk` puts all below everything else, and what makes it playable stays before the rest."""
    return _SHIFT[chosen]


def chosen_of(shift: int) -> Class:
    """The class that an asset's priority amounts to."""
    return max((chosen for chosen, most in _SHIFT.items() if most <= shift), default=Class.BULK)


def moved(priority: int, before: int, after: int) -> int:
    """A step's priority when that of its asset changes."""
    return min(MOST, priority - before + after)


def deadline_of(priority: int, planned_at: float) -> float:
    """Seconds since the epoch. Inside a class a higher priority is due a little earlier: a viewer's click (19) goes before the
    ladder (10) of the same moment."""
    found = class_of(priority)
    within = min(9, max(0, priority % 10)) / 10
    return planned_at + TARGET[found] * (1.0 - 0.9 * within)
