"""What follows a failed attempt. Pure: the random number is given."""

from __future__ import annotations

from dataclasses import dataclass

from rushes.errors import Blame

FIRST_DELAY, LONGEST_DELAY = 1.0, 300.0
POISON_AFTER = 3
"""Attempts that killed their worker before a step is set aside."""


@dataclass(frozen=True)
class Retry:
    delay: float
    """Seconds to wait before the next attempt."""


@dataclass(frozen=True)
class GiveUp:
    code: str


def after_failure(code: str, blame: Blame, attempts: int, max_attempts: int, chance: float) -> Retry | GiveUp:
    """`attempts` counts the one that just failed; `chance` is in [0, 1).

    Exponential backoff with full jitter: a delay drawn from [half, whole] of 1, 2, 4 ... seconds, so that steps which
    failed together do not come back together.
    """
    if blame is Blame.POISON and attempts >= POISON_AFTER:
        return GiveUp("quarantined")
    if blame is Blame.PERMANENT or attempts >= max_attempts:
        return GiveUp(code)
    return later(attempts, chance)


def later(attempts: int, chance: float) -> Retry:
    """Another attempt in any case: what has to happen at last, such as a takedown, is never given up."""
    delay = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(attempts - 1, 20))
    return Retry(delay * (0.5 + 0.5 * chance))
