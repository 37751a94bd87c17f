"""How fast bytes may come, and how slowly. Pure: the time is given, and who has to wait is told for how long.

A tenant's bandwidth is one bucket for all its requests of a process: each waits for what it has taken itself, so the others
go on, and no other tenant notices. A sender below the floor holds a connection and a place for nothing (slowloris).
"""

from __future__ import annotations

from rushes.errors import RushesError

WINDOW = 30.0
"""Seconds over which a sender's rate is judged: a phone in a tunnel is not a slow sender."""
BURST = 1.0
"""Seconds of a bucket's rate that may come at once after a pause."""


class TooSlow(RushesError):
    """RFC 9110 section 15.5.9."""

    status = 408

    def __init__(self, rate: float) -> None:
        super().__init__(
            "upload_too_slow",
            f"The bytes came at less than {rate:.0f} a second; what arrived is kept. Please go on when the network is better.",
        )


class Bucket:
    """A token bucket that goes into debt: whoever takes waits until its own part is paid."""

    def __init__(self, rate: float, now: float) -> None:
        """`rate` in bytes per second, above 0."""
        self._rate = rate
        self._paid_at = now - BURST
        """When all that was taken is paid; the further back it lies, the more may come at once."""

    def take(self, size: int, now: float) -> float:
        """Seconds to wait before more is read."""
        self._paid_at = max(self._paid_at, now - BURST) + size / self._rate
        return max(0.0, self._paid_at - now)


class Floor:
    """Judges a sender by its own time only: what the store or the bucket makes it wait does not count."""

    def __init__(self, rate: float, now: float, window: float = WINDOW) -> None:
        """`rate` in bytes per second; 0 takes everybody."""
        self._rate, self._window = rate, window
        self._bytes, self._spent = 0, 0.0
        self._since: float | None = now

    def wait(self, now: float) -> None:
        """From now on it is the sender's turn."""
        self._since = now

    def got(self, size: int, now: float) -> None:
        """Bytes came, or their end; it is our turn."""
        if self._since is not None:
            self._spent += now - self._since
        self._since = None
        self._bytes += size

    def judge(self, now: float) -> float:
        """Seconds after which to judge again; 0 where the sender is too slow."""
        spent = self._spent + (now - self._since if self._since is not None else 0.0)
        if spent < self._window:
            return max(self._window - spent, self._window / 100)
        if self._bytes < self._rate * spent:
            return 0.0
        self._bytes, self._spent = 0, 0.0
        if self._since is not None:
            self._since = now
        return self._window
