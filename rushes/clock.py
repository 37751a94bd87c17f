"""The one door to time. Everything that asks "what time is it" is given a Clock, so that tests own the answer."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since 1970-01-01T00:00:00Z."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start that never go backwards."""
        ...


class SystemClock:
    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that moves only when told; ships with the package so that users' tests can have it too."""

    def __init__(self, start: float = 1_750_000_000.0) -> None:
        self._now = start

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += seconds


def pause(seconds: float) -> None:
    """Block this thread. For the short waits at an edge (a lock held elsewhere), never for scheduling."""
    time.sleep(seconds)


def rfc3339(seconds: float) -> str:
    """`1750000000.25` -> `2025-06-15T15:06:40.250Z` (RFC 3339, UTC, milliseconds)."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
