"""CPU seconds of tools run by the door. The operating system does not charge them to us: bwrap does not pass them on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class Meter:
    cpu_seconds: float = 0.0


_current: ContextVar[Meter | None] = ContextVar("meter", default=None)


@contextmanager
def metered() -> Iterator[Meter]:
    """Collects what tools use within the block, in this context."""
    meter = Meter()
    token = _current.set(meter)
    try:
        yield meter
    finally:
        _current.reset(token)


def charge(cpu_seconds: float) -> None:
    """Called by the door when a tool has ended."""
    meter = _current.get()
    if meter is not None:
        meter.cpu_seconds += cpu_seconds
