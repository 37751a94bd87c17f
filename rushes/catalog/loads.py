"""Open work by pool, sampled: whoever asks for it reads eight rows and scans nothing.

The holder of an office counts every few seconds, or less often where counting takes long. A reader that finds nobody does it
counts itself, so that the numbers are there without a worker too.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from rushes.catalog import offices, sampling
from rushes.catalog.change import Store
from rushes.catalog.database import Row, Session
from rushes.catalog.records import PoolLoad
from rushes.engine.classes import Class
from rushes.states import Pool


def refresh(store: Store, holder: str) -> None:
    """Sample, if it is time."""
    sampling.refresh(store, (offices.SAMPLE, holder), measured, _write_all)


def _write_all(tx: Session, found: list[PoolLoad]) -> None:
    for load in found:
        _write(tx, load)


def measured(tx: Session, now: float) -> list[PoolLoad]:
    """Counted now: walks through all open steps, and through no others."""
    rows = [
        *tx.all(
            "SELECT pool, kind, class, 'ready' AS state, count(*) AS n, sum(cost) AS cpu, min(ready_at) AS oldest"
            " FROM steps WHERE state = 'ready' GROUP BY pool, kind, class"
        ),
        *tx.all(
            "SELECT pool, kind, class, 'running' AS state, count(*) AS n,"
            " sum(cost * (1 - progress)) AS cpu, NULL AS oldest"
            " FROM steps WHERE state = 'running' GROUP BY pool, kind, class"
        ),
        *tx.all(
            "SELECT pool, kind, class, 'waiting' AS state, count(*) AS n, sum(cost) AS cpu, NULL AS oldest"
            " FROM steps WHERE state = 'waiting' GROUP BY pool, kind, class"
        ),
    ]
    by_pool: dict[str, list[Row]] = {pool.value: [] for pool in Pool}
    for row in rows:
        by_pool.setdefault(row["pool"], []).append(row)
    return [_load(pool, found, now) for pool, found in by_pool.items()]


def _load(pool: str, rows: Iterable[Row], now: float) -> PoolLoad:
    number: dict[str, int] = defaultdict(int)
    cpu: dict[str, float] = defaultdict(float)
    kinds: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    classes: dict[str, float] = defaultdict(float)
    oldest = None
    for row in rows:
        state = row["state"]
        number[state] += row["n"]
        cpu[state] += row["cpu"]
        kinds[row["kind"]][state] += row["n"]
        if state == "ready":
            classes[Class(row["class"]).name.lower()] += row["cpu"]
            oldest = min(filter(None, (oldest, row["oldest"])), default=None)
    return PoolLoad(
        pool=pool, sampled_at=now, ready=number["ready"], running=number["running"], waiting=number["waiting"],
        ready_cpu=cpu["ready"], running_cpu=cpu["running"], planned_cpu=cpu["waiting"], oldest_ready=oldest,
        kinds={kind: dict(states) for kind, states in kinds.items()}, classes=dict(classes),
    )  # fmt: skip


_COLUMNS = (
    "sampled_at", "ready", "running", "waiting", "ready_cpu", "running_cpu", "planned_cpu", "oldest_ready", "kinds",
    "classes",
)  # fmt: skip


def _write(tx: Session, load: PoolLoad) -> None:
    values: dict[str, Any] = load.model_dump()
    values |= {"kinds": json.dumps(load.kinds), "classes": json.dumps(load.classes)}
    tx.execute(
        f"INSERT INTO pool_loads (pool, {', '.join(_COLUMNS)}) VALUES (:pool, {', '.join(f':{name}' for name in _COLUMNS)})"
        f" ON CONFLICT (pool) DO UPDATE SET {', '.join(f'{name} = :{name}' for name in _COLUMNS)}",
        values,
    )


def read(tx: Session) -> dict[str, PoolLoad]:
    """The last sample, by pool. Empty before the first."""
    rows = tx.all(f"SELECT pool, {', '.join(_COLUMNS)} FROM pool_loads")
    return {
        row["pool"]: PoolLoad(
            pool=row["pool"], kinds=json.loads(row["kinds"]), classes=json.loads(row["classes"]),
            **{name: row[name] for name in _COLUMNS if name not in ("kinds", "classes")},
        )
        for row in rows
    }  # fmt: skip
