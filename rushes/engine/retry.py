"""What follows a failed attempt: one table by whose fault it was. Pure: the random number is given.

What is counted is the blame of each attempt, not their number: two stores that did not answer and one worker that went away
with its host make no file a killer of workers (docs/decisions/0035).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rushes.errors import Blame


@dataclass(frozen=True)
class Terms:
    attempts: int
    """Of this blame, the first among them, after which the step is given up. 0: as many as the setting says."""
    first: float
    """Seconds to wait after the first; twice that after the second, and so on."""
    longest: float = 300.0


POLICY: dict[Blame, Terms] = {
    Blame.TRANSIENT: Terms(attempts=0, first=1.0),
    Blame.PERMANENT: Terms(attempts=1, first=1.0),
    Blame.RESOURCE: Terms(attempts=3, first=5.0),
    Blame.POISON: Terms(attempts=6, first=1.0),
}
"""The attempts of POISON are counted by their weight as evidence."""
STORE_AWAY = "storage_unavailable"
STORE = Terms(attempts=9, first=1.0)
"""Of attempts that the object store failed, though it answers some requests (where it answers none, nothing is charged): about four
minutes, for no step is to blame for it, and all that are under way meet it at once."""
STRONG, WEAK = 2, 1
"""A child that died while its worker and the steps beside it lived on, or a worker that went silent with nothing but this step;
and a worker that went silent with others beside it: that may have been one of these, or its host."""
SUSPECT = 2
"""Evidence from which on a step runs alone in its worker: then nobody else is to blame, and nobody else is hurt."""
FORGIVEN = 5
"""Times that a step is handed back at once. Later ones come back after a pause, and those that went down with their whole stack
are not forgiven any more."""
LOST, QUARANTINED = "worker_lost", "quarantined"


@dataclass(frozen=True)
class Past:
    """An attempt that failed or was lost."""

    blame: Blame
    code: str


@dataclass(frozen=True)
class Retry:
    delay: float
    """Seconds to wait before the next attempt."""
    alone: bool = False
    """Nothing else may run beside it."""


@dataclass(frozen=True)
class GiveUp:
    code: str


def after_failure(history: Sequence[Past], most: int, chance: float) -> Retry | GiveUp:
    """`history` ends with the attempt that just failed and begins when the step was last begun anew; `most`: attempts of blame
    TRANSIENT; `chance` is in [0, 1)."""
    last = history[-1]
    if last.blame is Blame.POISON and evidence(history) >= POLICY[Blame.POISON].attempts:
        return GiveUp(QUARANTINED)
    terms = _terms(last)
    count = sum(past.blame is last.blame and _terms(past) is terms for past in history)
    if last.blame is not Blame.POISON and count >= _bound(terms, most):
        return GiveUp(last.code)
    return Retry(delay(count, chance, terms), needs_room(history))


def _terms(past: Past) -> Terms:
    return STORE if (past.blame, past.code) == (Blame.TRANSIENT, STORE_AWAY) else POLICY[past.blame]


def _bound(terms: Terms, most: int) -> int:
    """Who has set one attempt wants no other."""
    if terms is STORE:
        return max(most, terms.attempts) if most > 1 else most
    return terms.attempts or most


def evidence(history: Sequence[Past]) -> int:
    """How much speaks for it that the step kills what does it. By what went before, an attempt was one that ran alone or not."""
    found, alone = 0, False
    for past in history:
        if past.blame is Blame.POISON:
            found += STRONG if alone or past.code != LOST else WEAK
        alone = alone or found >= SUSPECT or past.blame is Blame.RESOURCE
    return found


def needs_room(history: Sequence[Past]) -> bool:
    """Whether it is to run alone: it is suspected, or was short of something that its neighbours had."""
    return evidence(history) >= SUSPECT or any(past.blame is Blame.RESOURCE for past in history)


def delay(count: int, chance: float, terms: Terms = POLICY[Blame.TRANSIENT]) -> float:
    """Seconds before the attempt after the `count`th failure: exponential, drawn from [half, whole], so that steps which failed
    together do not come back together."""
    whole = min(terms.longest, terms.first * 2.0 ** min(count - 1, 20))
    return whole * (0.5 + 0.5 * chance)


def later(attempts: int, chance: float) -> Retry:
    """Another attempt in any case: what has to happen at last, such as a takedown, is never given up."""
    return Retry(delay(attempts, chance))


def handed_back(times: int, chance: float) -> Retry:
    """What follows the `times`th attempt that ended unharmed: at once as a rule (a drain, a stop), later where it goes on so."""
    return Retry(0.0) if times <= FORGIVEN else later(times - FORGIVEN, chance)
