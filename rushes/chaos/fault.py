"""What a fault is: something that is done to a stack that works, and what has to hold while it is and after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rushes.chaos.bounds import Bounds
from rushes.chaos.stack import Stack

Act = Callable[[Stack, Bounds], None]


@dataclass(frozen=True)
class Fault:
    """`number` is its place among the seventeen (docs/fleet.md)."""

    name: str
    number: int
    what: str
    act: Act


def suffer(fault: Fault, stack: Stack) -> Bounds:
    """Do it to a stack that is well; then all work has to end and the promise to hold, which are bounds too."""
    stack.heal()
    bounds, before = Bounds(), len(stack.acknowledged)
    fault.act(stack, bounds)
    mine = stack.acknowledged[before:]
    stack.heal()
    bounds.within("all work ended", 60.0, stack.settled(mine))
    for sentence in stack.broken(mine):
        bounds.true(sentence, said=False)
    bounds.true(f"the promise, for {len(mine)} assets", not stack.broken(mine))
    return bounds
