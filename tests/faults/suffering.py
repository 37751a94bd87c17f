"""One fault on a stack, and all that has to hold."""

from __future__ import annotations

from rushes.chaos.bounds import broken
from rushes.chaos.fault import Fault, suffer
from rushes.chaos.stack import Stack


def assert_survived(fault: Fault, stack: Stack) -> None:
    bounds = suffer(fault, stack)
    print("\n".join((fault.what, *bounds.lines())))  # noqa: T201 - for the eye
    assert broken(bounds.found) == []
