"""The fleet as the catalog sees it: pools with their backlog in seconds, workers with their steps, numbers for metrics."""

from __future__ import annotations

import json
from typing import TypedDict

from rushes.catalog.database import Session
from rushes.catalog.queue import OPEN
from rushes.catalog.records import Counts, Fleet, Load, PoolView, WorkerView
from rushes.states import Pool

FORGOTTEN_AFTER = 86_400.0
SILENT_AFTER = 15.0
"""Seconds after which a worker that does not report is no longer shown."""


def view(tx: Session, now: float) -> Fleet:
    rows = tx.all(
        "SELECT pool, sum(CASE WHEN state = 'ready' THEN 1 ELSE 0 END) AS ready,"
        " sum(CASE WHEN state = 'running' THEN 1 ELSE 0 END) AS running,"
        " sum(CASE WHEN state = 'waiting' THEN 1 ELSE 0 END) AS waiting,"
        " sum(CASE WHEN state = 'ready' THEN cost ELSE 0 END) AS backlog,"
        " min(CASE WHEN state = 'ready' THEN ready_at END) AS oldest"
        f" FROM steps WHERE state IN {OPEN} GROUP BY pool"
    )
    found = {row["pool"]: row for row in rows}
    pools = tuple(
        PoolView(
            pool=pool.value,
            ready=row["ready"] if (row := found.get(pool.value)) else 0,
            running=row["running"] if row else 0,
            waiting=row["waiting"] if row else 0,
            backlog_seconds=round(row["backlog"], 2) if row else 0.0,
            oldest_ready_seconds=round(now - row["oldest"], 2) if row and row["oldest"] else 0.0,
        )
        for pool in Pool
    )
    return Fleet(pools=pools, workers=_workers(tx, now))


def load(tx: Session, now: float) -> Load:
    """What is left of every planned step, ready or not."""
    work = tx.all(f"SELECT pool, sum(cost * (1 - progress)) AS cost FROM steps WHERE state IN {OPEN} GROUP BY pool")
    living = tx.all("SELECT pools, slots FROM workers WHERE seen_at > :since", {"since": now - SILENT_AFTER})
    slots: dict[str, int] = {}
    for worker in living:
        for pool in json.loads(worker["pools"]):
            slots[pool] = slots.get(pool, 0) + worker["slots"]
    return Load(
        work={row["pool"]: row["cost"] for row in work},
        slots=slots,
        all_slots=sum(worker["slots"] for worker in living),
    )


def _workers(tx: Session, now: float) -> tuple[WorkerView, ...]:
    running: dict[str, list[str]] = {}
    for row in tx.all("SELECT lease_owner, asset, key FROM steps WHERE state = 'running' ORDER BY started_at"):
        running.setdefault(row["lease_owner"], []).append(f"{row['asset']}/{row['key']}")
    rows = tx.all(
        "SELECT id, pools, slots, sandbox, started_at, seen_at FROM workers WHERE seen_at > :since ORDER BY id",
        {"since": now - SILENT_AFTER},
    )
    return tuple(
        WorkerView(
            id=row["id"],
            pools=tuple(json.loads(row["pools"])),
            slots=row["slots"],
            sandbox=row["sandbox"],
            started_at=row["started_at"],
            seen_at=row["seen_at"],
            steps=tuple(running.get(row["id"], ())),
        )
        for row in rows
    )


def counts(tx: Session, now: float) -> Counts:
    steps = tx.all("SELECT state, kind, pool, count(*) AS n FROM steps GROUP BY state, kind, pool")
    assets = tx.all("SELECT state, count(*) AS n FROM assets GROUP BY state")
    attempts = tx.all(
        "SELECT s.kind, a.outcome, count(*) AS n FROM attempts a JOIN steps s ON s.id = a.step"
        " WHERE a.outcome IS NOT NULL GROUP BY s.kind, a.outcome"
    )
    avoided = tx.all("SELECT kind, count(*) AS n, sum(avoided) AS cpu FROM steps WHERE avoided > 0 GROUP BY kind")
    uploads = tx.one("SELECT count(*) AS n FROM uploads WHERE state = 'open'")
    due = tx.one("SELECT min(e.at) AS at FROM deliveries d JOIN events e ON e.seq = d.seq WHERE d.state = 'due'")
    return Counts(
        steps=tuple((row["state"], row["kind"], row["pool"], row["n"]) for row in steps),
        assets={row["state"]: row["n"] for row in assets},
        uploads_open=uploads["n"] if uploads else 0,
        outbox_lag_seconds=max(0.0, now - due["at"]) if due and due["at"] else 0.0,
        attempts=tuple((row["kind"], row["outcome"], row["n"]) for row in attempts),
        avoided=tuple((row["kind"], row["n"], row["cpu"]) for row in avoided),
    )


class Presence(TypedDict):
    """What a worker says of itself: the pools it serves, its slots, the sandbox it found to work."""

    pools: list[str]
    slots: int
    sandbox: str


def report(tx: Session, worker: str, presence: Presence, now: float) -> None:
    """A worker says that it is there."""
    tx.execute(
        "INSERT INTO workers (id, pools, slots, sandbox, started_at, seen_at)"
        " VALUES (:id, :pools, :slots, :sandbox, :now, :now)"
        " ON CONFLICT (id) DO UPDATE SET seen_at = :now, pools = :pools, slots = :slots, sandbox = :sandbox",
        {**presence, "pools": json.dumps(presence["pools"]), "id": worker, "now": now},
    )


def forget(tx: Session, now: float) -> None:
    """Rows of workers that died long ago: each start has a name of its own."""
    tx.execute("DELETE FROM workers WHERE seen_at < :before", {"before": now - FORGOTTEN_AFTER})


def leave(tx: Session, worker: str) -> None:
    tx.execute("DELETE FROM workers WHERE id = :id", {"id": worker})
