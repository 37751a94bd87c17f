"""Work that one process does for all: the reconciler's, the sampler's. Who takes an office has it for some seconds, by one
conditional statement; the others pass it by at the price of one indexed read. It is safe all the same when two are at it: an
office saves work, and nothing depends on there being only one."""

from __future__ import annotations

from rushes.catalog.database import Session

RECONCILE, SAMPLE, COUNT, MEND, SWEEP = "reconcile", "sample", "count", "mend", "sweep"
FORSAKEN = 10.0
"""Seconds after which an office that nobody took again is anybody's, also of those who are about something else."""


def is_due(tx: Session, name: str, now: float) -> bool:
    """Whether it may be taken; a cheap look. It may where it was done in the future: then the clock has been set back."""
    found = tx.one("SELECT until, done_at FROM offices WHERE name = :name", {"name": name})
    return found is None or found["until"] <= now or found["done_at"] > now


def is_forsaken(tx: Session, name: str, now: float) -> bool:
    """Whether somebody had it, and nobody has come since: whose office it was is gone."""
    found = tx.one("SELECT until FROM offices WHERE name = :name", {"name": name})
    return found is not None and found["until"] + FORSAKEN <= now


def take(tx: Session, name: str, holder: str, now: float, seconds: float) -> bool:
    """Whether it is the caller's now: for so many seconds nobody else gets it, be it done sooner or not."""
    taken = tx.execute(
        "INSERT INTO offices (name, holder, until) VALUES (:name, :holder, :until)"
        " ON CONFLICT (name) DO UPDATE SET holder = :holder, until = :until,"
        " done_at = CASE WHEN offices.done_at > :now THEN 0 ELSE offices.done_at END"
        " WHERE offices.until <= :now OR offices.done_at > :now",
        {"name": name, "holder": holder, "until": now + seconds, "now": now},
    )
    return taken == 1


def done(tx: Session, name: str, now: float, *, rest: float = 0.0, place: str | None = None) -> None:
    """Its work was done; nobody needs to do it again for `rest` seconds. `place`: as `leave_off`, if it is given."""
    tx.execute(
        "UPDATE offices SET done_at = :now, until = CASE WHEN until < :rested THEN :rested ELSE until END,"
        " place = coalesce(:place, place) WHERE name = :name",
        {"name": name, "now": now, "rested": now + rest, "place": place},
    )


def leave_off(tx: Session, name: str, place: str) -> None:
    """Of work that is done in turns: where the next one goes on, whoever has it."""
    tx.execute("UPDATE offices SET place = :place WHERE name = :name", {"name": name, "place": place})


def place(tx: Session, name: str) -> str:
    """Where the last turn left off; empty: at the beginning."""
    found = tx.one("SELECT place FROM offices WHERE name = :name", {"name": name})
    return str(found["place"]) if found else ""


def done_at(tx: Session, name: str) -> float | None:
    """When its work was done last, in seconds since the epoch; None: never."""
    found = tx.one("SELECT done_at FROM offices WHERE name = :name", {"name": name})
    return float(found["done_at"]) if found and found["done_at"] else None
