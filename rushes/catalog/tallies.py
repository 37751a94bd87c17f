"""Numbers of the whole catalog, counted once for all who ask: assets by state, results that were copied."""

from __future__ import annotations

from rushes.catalog import offices
from rushes.catalog.change import Store
from rushes.catalog.database import Session
from rushes.clock import SystemClock

ASSETS, AVOIDED = "assets", "avoided"
EVERY = 5.0
PAUSE = 20
"""Times what counting took, until the next time."""
COUNTED = {
    ASSETS: "SELECT state AS key, count(*) AS n, 0.0 AS cpu FROM assets GROUP BY state",
    AVOIDED: "SELECT kind AS key, count(*) AS n, sum(avoided) AS cpu FROM steps WHERE avoided > 0 GROUP BY kind",
}


def refresh(store: Store, holder: str) -> None:
    """Count, if it is time."""
    with store.database.read() as tx:
        if not offices.is_due(tx, offices.COUNT, store.now(tx)):
            return
    with store.database.write() as tx:
        taken = offices.take(tx, offices.COUNT, holder, store.now(tx), EVERY)
    if taken:
        _count(store)


def _count(store: Store) -> None:
    clock = SystemClock()
    began = clock.monotonic()
    with store.database.read() as tx:
        found = {name: tx.all(statement) for name, statement in COUNTED.items()}
    took = clock.monotonic() - began
    with store.database.write() as tx:
        now = store.now(tx)
        tx.execute("DELETE FROM tallies")
        for name, rows in found.items():
            for row in sorted(rows, key=lambda row: str(row["key"])):
                _write(tx, {"name": name, "key": row["key"], "n": row["n"], "cpu": row["cpu"]})
        offices.done(tx, offices.COUNT, now, rest=max(EVERY, PAUSE * took))


def _write(tx: Session, values: dict[str, object]) -> None:
    """In order, and over what is there: two may count at once where counting takes long."""
    tx.execute(
        "INSERT INTO tallies (name, key, n, cpu) VALUES (:name, :key, :n, :cpu)"
        " ON CONFLICT (name, key) DO UPDATE SET n = :n, cpu = :cpu",
        values,
    )


def read(tx: Session, name: str) -> dict[str, tuple[int, float]]:
    """key -> how many, CPU seconds."""
    rows = tx.all("SELECT key, n, cpu FROM tallies WHERE name = :name", {"name": name})
    return {row["key"]: (row["n"], row["cpu"]) for row in rows}
