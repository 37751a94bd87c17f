"""The fleet as the catalog sees it: pools with their backlog in seconds, workers with their steps, numbers for metrics.

What is counted over all steps or assets comes from samples (`catalog.loads`, `catalog.tallies`); nothing here walks through
more than the living workers and the steps that run.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rushes.catalog import loads, offices, tallies
from rushes.catalog.database import Row, Session
from rushes.catalog.records import Backlog, Counts, Fleet, Load, PoolLoad, PoolView, WorkerView
from rushes.catalog.workforce import SILENT_AFTER
from rushes.engine.backlog import Hands, backlog_seconds
from rushes.states import Pool

_WORKER = (
    "id, pools, slots, own, sandbox, started_at, seen_at, host, release, graph, cores, memory, gpu, state, reason, wanted,"
    " speed, scratch_free, skew"
)


def view(tx: Session, now: float) -> Fleet:
    """As of the last sample."""
    sampled, there = loads.read(tx), living(tx, now)
    why = {row["pool"]: row["reason"] for row in paused(tx)}
    pools = tuple(
        PoolView(**found.model_dump(exclude={"sampled_at"}), reason=why.get(found.pool, ""))
        for found in _backlogs(sampled, there, set(why), now)
    )
    since = min((load.sampled_at for load in sampled.values()), default=0.0)
    return Fleet(pools=pools, workers=_workers(tx, there), sampled_at=since)


def backlog(tx: Session, now: float) -> tuple[Backlog, ...]:
    """Each pool's, as of the last sample."""
    return _backlogs(loads.read(tx), living(tx, now), {row["pool"] for row in paused(tx)}, now)


def _backlogs(sampled: dict[str, PoolLoad], there: Sequence[Row], closed: set[str], now: float) -> tuple[Backlog, ...]:
    workers = hands(there)
    work = {pool: load.cpu for pool, load in sampled.items()}
    return tuple(
        _backlog(sampled.get(pool, PoolLoad(pool=pool, sampled_at=0.0)), workers, now).model_copy(
            update={
                "backlog_seconds": round(backlog_seconds(pool, work, workers), 2),
                "paused": pool in closed,
            }
        )
        for pool in Pool
    )


def _backlog(load: PoolLoad, workers: Sequence[Hands], now: float) -> Backlog:
    mine = [one for one in workers if load.pool in one.pools]
    return Backlog(
        pool=str(load.pool), ready=load.ready, running=load.running, waiting=load.waiting,
        ready_cpu_seconds=round(load.ready_cpu, 2), running_cpu_seconds=round(load.running_cpu, 2),
        planned_cpu_seconds=round(load.planned_cpu, 2), workers=len(mine), cores=sum(one.cores for one in mine),
        oldest_ready_seconds=round(max(0.0, now - load.oldest_ready), 2) if load.oldest_ready else 0.0,
        sampled_at=load.sampled_at,
    )  # fmt: skip


def paused(tx: Session) -> list[Row]:
    """pool and reason of the pools that an operator has paused."""
    return tx.all("SELECT pool, reason FROM pools WHERE paused = 1")


def hands(there: Sequence[Row]) -> list[Hands]:
    """Those that take work. A worker that does not say its cores counts as one for each slot."""
    return [
        Hands(frozenset(json.loads(row["pools"])), row["cores"] or float(row["slots"]))
        for row in there
        if row["state"] == "working"
    ]


def load(tx: Session, now: float) -> Load:
    """What is left of every planned step, ready or not; as of the last sample."""
    found, workers = loads.read(tx), hands(living(tx, now))
    pools = {pool for one in workers for pool in one.pools}
    work = {pool: one.cpu + one.planned_cpu for pool, one in found.items()}
    return Load(
        work={pool: cpu for pool, cpu in work.items() if cpu > 0},
        slots={pool: sum(one.cores for one in workers if pool in one.pools) for pool in pools},
        all_slots=sum(one.cores for one in workers),
    )


def living(tx: Session, now: float) -> list[Row]:
    return tx.all(f"SELECT {_WORKER} FROM workers WHERE seen_at > :since ORDER BY id", {"since": now - SILENT_AFTER})


def _workers(tx: Session, there: Sequence[Row]) -> tuple[WorkerView, ...]:
    running: dict[str, list[str]] = {}
    for row in tx.all("SELECT lease_owner, asset, key FROM steps WHERE state = 'running' ORDER BY started_at"):
        running.setdefault(row["lease_owner"], []).append(f"{row['asset']}/{row['key']}")
    return tuple(_worker(row, running.get(row["id"], [])) for row in there)


def _worker(row: Row, steps: Sequence[str]) -> WorkerView:
    values: dict[str, Any] = {name: row[name] for name in _WORKER.split(", ")}
    read = {"pools": tuple(json.loads(row["pools"])), "own": json.loads(row["own"]), "steps": tuple(steps)}
    return WorkerView(**values | read)


def counts(tx: Session, now: float) -> Counts:
    """Numbers of open steps and of assets are those of the last sample."""
    uploads = tx.one("SELECT count(*) AS n FROM uploads WHERE state = 'open'")
    due = tx.one("SELECT min(e.at) AS at FROM deliveries d JOIN events e ON e.seq = d.seq WHERE d.state = 'due'")
    avoided = tallies.read(tx, tallies.AVOIDED)
    aside = tx.one("SELECT count(*) AS n FROM quarantine WHERE released_at IS NULL")
    return Counts(
        steps=tuple(
            (state, kind, pool, n)
            for pool, found in sorted(loads.read(tx).items())
            for kind, states in sorted(found.kinds.items())
            for state, n in sorted(states.items())
        ),
        assets={state: n for state, (n, _) in tallies.read(tx, tallies.ASSETS).items()},
        uploads_open=uploads["n"] if uploads else 0,
        outbox_lag_seconds=max(0.0, now - due["at"]) if due and due["at"] else 0.0,
        avoided=tuple((kind, n, cpu) for kind, (n, cpu) in sorted(avoided.items())),
        reconciled_seconds=_since(tx, offices.RECONCILE, now),
        sampled_seconds=_since(tx, offices.SAMPLE, now),
        quarantined=aside["n"] if aside else 0,
    )


def _since(tx: Session, office: str, now: float) -> float | None:
    """Seconds since the work of an office was done last."""
    at = offices.done_at(tx, office)
    return None if at is None else max(0.0, now - at)
