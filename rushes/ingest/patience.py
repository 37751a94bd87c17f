"""How long a client goes on trying. Exponential backoff with full jitter, bounded by the time without progress."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from rushes.clock import Clock, SystemClock, pause

FIRST = 0.25
LONGEST = 15.0


@dataclass
class Patience:
    """`seconds` without success, then it ends. Waiting and dice are given, so that tests own them."""

    seconds: float = 120.0
    clock: Clock = field(default_factory=SystemClock)
    sleep: Callable[[float], None] = pause
    dice: Callable[[], float] = random.random
    _failures: int = 0
    _since: float | None = None

    def success(self) -> None:
        self._failures, self._since = 0, None

    def wait(self) -> bool:
        """After a failure: wait a while and give True, or give False when the patience is at its end."""
        now = self.clock.monotonic()
        self._since = now if self._since is None else self._since
        left = self._since + self.seconds - now
        if left <= 0:
            return False
        longest = min(LONGEST, FIRST * 2**self._failures)
        self._failures += 1
        self.sleep(min(left, longest * (0.5 + self.dice() / 2)))
        return True
