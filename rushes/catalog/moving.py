"""What operators change of work that is planned: the class of an asset's steps, whether a pool takes any."""

from __future__ import annotations

from rushes.catalog import steps
from rushes.catalog.change import Change
from rushes.catalog.database import Row, Session
from rushes.catalog.records import PoolState, UnreadableSteps
from rushes.engine.classes import Class, class_of, deadline_of, moved, shift_of
from rushes.engine.outcome import Outcome
from rushes.model import Asset
from rushes.states import Pool

LIVING = 60.0
"""Seconds after which a worker that does not report is not counted on."""
_TO_COME = "asset = :asset AND kind <> 'cleanup' AND state NOT IN ('done', 'skipped')"
"""Steps that may yet be done, by a retry at least. A takedown never waits for what is more urgent."""


def to_class(change: Change, asset: Asset, chosen: Class) -> Asset:
    """Its steps go by the class from now on, those that run too: whoever makes room for others looks at it."""
    before, after = asset.priority, shift_of(chosen)
    if before == after:
        return asset
    tx, about = change.tx, {"asset": asset.id}
    steps.hold_running(tx, asset.id)
    tx.execute(f"UPDATE steps SET state = 'waiting' WHERE {_TO_COME} AND state = 'ready'", about)
    found = tx.all(f"SELECT DISTINCT priority FROM steps WHERE {_TO_COME}", about)
    # In the direction of the move, so that none is moved twice
    for old in sorted((row["priority"] for row in found), reverse=after > before):
        new = moved(old, before, after)
        values = {**about, "old": old, "new": new, "class": int(class_of(new)), "within": deadline_of(new, 0.0)}
        tx.execute(
            "UPDATE steps SET priority = :new, class = :class, deadline = created_at + :within"
            f" WHERE {_TO_COME} AND priority = :old",
            values,
        )
    asset = change.save(Outcome(asset.model_copy(update={"priority": after}), ("asset.updated",)))
    change.settle(asset.id)
    return asset


def set_paused(tx: Session, pool: Pool, reason: str, now: float, *, paused: bool) -> PoolState:
    values = {"pool": pool.value, "paused": int(paused), "reason": reason, "now": now}
    tx.execute(
        "INSERT INTO pools (pool, paused, reason, changed_at) VALUES (:pool, :paused, :reason, :now)"
        " ON CONFLICT (pool) DO UPDATE SET paused = :paused, reason = :reason, changed_at = :now",
        values,
    )
    return PoolState(pool=pool.value, paused=paused, reason=reason, changed_at=now)


def pool_states(tx: Session) -> list[PoolState]:
    return [_state(row) for row in tx.all("SELECT pool, paused, reason, changed_at FROM pools ORDER BY pool")]


def unreadable(tx: Session, now: float) -> list[UnreadableSteps]:
    """Those that a worker could not read, and those above all living workers."""
    rows = tx.all(
        "SELECT kind, version, pool, count(*) AS steps FROM steps WHERE state IN ('waiting', 'ready')"
        " AND (reason_code = 'unreadable_step'"
        " OR version > coalesce((SELECT max(graph) FROM workers WHERE seen_at > :since), version))"
        " GROUP BY kind, version, pool ORDER BY kind, version, pool",
        {"since": now - LIVING},
    )
    return [
        UnreadableSteps(kind=row["kind"], version=row["version"], pool=row["pool"], steps=row["steps"]) for row in rows
    ]


def _state(row: Row) -> PoolState:
    return PoolState(pool=row["pool"], paused=bool(row["paused"]), reason=row["reason"], changed_at=row["changed_at"])
