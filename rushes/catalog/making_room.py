"""Bulk steps are told to make room where something more urgent has waited beside them (`engine.preempt`)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from rushes.catalog import fleet, steps
from rushes.catalog.change import Store
from rushes.catalog.database import Row, Session
from rushes.catalog.telling import Preempted
from rushes.engine.classes import Class
from rushes.engine.preempt import PATIENCE, Running, Shared, chosen, share_of
from rushes.states import APART, Pool

MOST = 64
"""Urgent steps that are counted; there are never more slots to clear in one round."""


def make_room(store: Store) -> int:
    """Gives how many were told."""
    with store.database.read() as tx:
        now = store.now(tx)
        bulk = bulk_running(tx)
        leaving = _leaving(tx, now, bulk) if bulk else {}
    return sum(_tell(store, pool, rows) for pool, rows in leaving.items())


def bulk_running(tx: Session) -> list[Row]:
    return tx.all(
        "SELECT id, pool, fence, class, spent, progress, preempted, cancel, lease_owner FROM steps"
        f" WHERE state = 'running' AND class = {Class.BULK.value}"
    )


def _leaving(tx: Session, now: float, bulk: Sequence[Row]) -> dict[str, list[Row]]:
    """By the pool that they make room for. One step is counted for one pool only."""
    living = [row for row in fleet.living(tx, now) if row["state"] == "working"]
    busy = {(row["lease_owner"], row["pool"]): row["n"] for row in tx.all(_BUSY)}
    found: dict[str, list[Row]] = {}
    taken: set[str] = set()
    for pool in sorted(set(Pool).difference(APART)):
        workers = [row for row in living if pool.value in json.loads(row["pools"])]
        shares = {
            one["id"]: share_of(pool, json.loads(one["pools"]), one["slots"], json.loads(one["own"])) for one in workers
        }
        # A worker before 0012, which tells no release, takes any word in `cancel` for the end of the step
        able = {one["id"]: shares[one["id"]].pools for one in workers if one["release"]}
        rows = [row for row in bulk if row["pool"] in able.get(row["lease_owner"], ()) and row["id"] not in taken]
        going = _chosen(_urgent(tx, pool, workers, now), rows, _free(shares, busy)) if rows else []
        taken |= {row["id"] for row in going}
        found[pool.value] = going
    return found


_BUSY = "SELECT lease_owner, pool, count(*) AS n FROM steps WHERE state = 'running' GROUP BY lease_owner, pool"


def _free(shares: Mapping[str, Shared], busy: Mapping[tuple[str, str], int]) -> int:
    """Slots that steps of the pool would get now. `shares` by worker, `busy` by worker and pool."""
    return sum(
        max(0, share.slots - sum(busy.get((worker, pool), 0) for pool in share.pools))
        for worker, share in shares.items()
    )


def _chosen(urgent: int, rows: Sequence[Row], free: int) -> list[Row]:
    running = [
        Running(row["id"], Class(row["class"]), row["spent"], row["progress"], row["preempted"], bool(row["cancel"]))
        for row in rows
    ]
    names = set(chosen(urgent, free, running))
    return [row for row in rows if row["id"] in names]


def _urgent(tx: Session, pool: Pool, workers: Sequence[Row], now: float) -> int:
    """Ready steps above bulk that have waited for too long, that may be begun, and that one of these workers can do."""
    found = tx.one(
        "SELECT count(*) AS n FROM (SELECT 1 FROM queues q JOIN steps s ON s.pool = q.pool AND s.class = q.class"
        " AND s.tenant = q.tenant AND s.version = q.version WHERE q.pool = :pool AND q.open = 1 AND q.filled = 0"
        f" AND q.class > {Class.BULK.value} AND q.version <= :graph AND s.state = 'ready' AND s.ready_at < :since"
        " AND NOT EXISTS (SELECT 1 FROM pools p WHERE p.pool = q.pool AND p.paused = 1) LIMIT :most) u",
        {"pool": pool.value, "since": now - PATIENCE, "graph": max(row["graph"] for row in workers), "most": MOST},
    )
    return int(found["n"]) if found else 0


def _tell(store: Store, pool: str, rows: Sequence[Row]) -> int:
    """One transaction for each step, which holds nothing else: so nobody waits in a circle."""
    told = 0
    for row in rows:
        with store.database.write() as tx:
            heard = tx.execute(
                f"UPDATE steps SET cancel = {steps.ROOM}, preempted = preempted + 1"
                " WHERE id = :id AND fence = :fence AND state = 'running' AND cancel = 0",
                {"id": row["id"], "fence": row["fence"]},
            )
        if heard:
            store.tell(Preempted(pool))
        told += heard
    return told
