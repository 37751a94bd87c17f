"""The workers: what each says of itself every few seconds, and what an operator asks of it."""

from __future__ import annotations

import json

from pydantic import Field

from rushes.catalog.database import Session
from rushes.errors import NotFound
from rushes.noun import Noun

SILENT_AFTER = 15.0
"""Seconds after which a worker that does not report is no longer shown."""
FORGOTTEN_AFTER = 86_400.0


class Presence(Noun):
    """What a worker says of itself."""

    pools: tuple[str, ...]
    """A newer release's may have other names."""
    slots: int
    """Of its heavy pools together."""
    own: dict[str, int] = Field(default_factory=dict)
    """Those of them that a pool shares with no other."""
    sandbox: str = ""
    """How it shuts in tools: bwrap, landlock, rlimits, off; empty: it does not know yet, or has none to shut in."""
    host: str = ""
    release: str = ""
    """Of rushes."""
    graph: int = 1
    """The newest graph version that it can carry out."""
    cores: float = 0.0
    memory: int = 0
    gpu: str = ""
    state: str = "working"
    """working, draining, cordoned."""
    reason: str = ""
    speed: float = 0.0
    """Estimated by measured CPU seconds; 0: unknown."""
    scratch_free: int = 0
    skew: float = 0.0
    """Its clock minus the database's, in seconds."""


class Heard(Noun):
    """What a worker hears when it reports."""

    now: float
    """The database's time."""
    wanted: str = ""
    """What an operator asks of it: drain, cordon, or work whatever it found itself. Empty: nothing was asked."""
    since: float = 0.0
    """Seconds since that was asked."""


class Colleague(Noun):
    """Another living worker, as one that compares itself sees it."""

    pools: tuple[str, ...]
    speed: float
    state: str


_CHANGES = ("slots", "sandbox", "state", "reason", "speed", "scratch_free", "skew", "pools")
_ONCE = ("own", "host", "release", "graph", "cores", "memory", "gpu")


def report(tx: Session, worker: str, presence: Presence, now: float) -> Heard:
    """A worker says that it is there. One statement, as long as it is known."""
    values = {**presence.model_dump(), "id": worker, "now": now}
    values |= {"pools": json.dumps(presence.pools), "own": json.dumps(presence.own)}
    sets = ", ".join(f"{name} = :{name}" for name in _CHANGES)
    known = tx.one(f"UPDATE workers SET seen_at = :now, {sets} WHERE id = :id RETURNING wanted, wanted_at", values)
    if known:
        return Heard(now=now, wanted=known["wanted"], since=now - known["wanted_at"] if known["wanted_at"] else 0.0)
    names = (*_CHANGES, *_ONCE)
    tx.execute(
        f"INSERT INTO workers (id, started_at, seen_at, {', '.join(names)})"
        f" VALUES (:id, :now, :now, {', '.join(f':{name}' for name in names)})",
        values,
    )
    return Heard(now=now)


def ask(tx: Session, worker: str, wanted: str, now: float) -> None:
    """An operator asks something of a worker, which hears it at its next report or with the next beat of its steps: `drain` or
    `cordon`; `work`, to take work again also where it stopped by itself, for a time; empty, what it finds right. Raises
    NotFound."""
    values = {"wanted": wanted, "id": worker, "now": now}
    if not tx.execute("UPDATE workers SET wanted = :wanted, wanted_at = :now WHERE id = :id", values):
        raise NotFound("worker_not_found", f"There is no worker {worker}.")


def colleagues(tx: Session, worker: str, now: float) -> list[Colleague]:
    """The other living workers whose speed is known."""
    rows = tx.all(
        "SELECT pools, speed, state FROM workers WHERE seen_at > :since AND id <> :id AND speed > 0",
        {"since": now - SILENT_AFTER, "id": worker},
    )
    return [Colleague(pools=tuple(json.loads(row["pools"])), speed=row["speed"], state=row["state"]) for row in rows]


def forget(tx: Session, now: float) -> None:
    """Rows of workers that died long ago: each start has a name of its own."""
    tx.execute("DELETE FROM workers WHERE seen_at < :before", {"before": now - FORGOTTEN_AFTER})


def leave(tx: Session, worker: str) -> None:
    tx.execute("DELETE FROM workers WHERE id = :id", {"id": worker})
