"""Numbers of the whole catalog, counted once for all who ask: assets by state, results that were copied."""

from __future__ import annotations

from rushes.catalog import offices, sampling
from rushes.catalog.change import Store
from rushes.catalog.database import Row, Session

ASSETS, AVOIDED = "assets", "avoided"
COUNTED = {
    ASSETS: "SELECT state AS key, count(*) AS n, 0.0 AS cpu FROM assets GROUP BY state",
    AVOIDED: "SELECT kind AS key, CAST(sum(n) AS BIGINT) AS n, sum(cpu) AS cpu FROM (SELECT kind, count(*) AS n,"
    " sum(avoided) AS cpu FROM steps WHERE avoided > 0 GROUP BY kind UNION ALL SELECT kind, n, cpu FROM avoided) a"
    " GROUP BY kind",
}


def refresh(store: Store, holder: str) -> None:
    """Count, if it is time."""
    sampling.refresh(store, (offices.COUNT, holder), _counted, _write_all)


def _counted(tx: Session, _: float) -> dict[str, list[Row]]:
    return {name: tx.all(statement) for name, statement in COUNTED.items()}


def _write_all(tx: Session, found: dict[str, list[Row]]) -> None:
    tx.execute("DELETE FROM tallies")
    for name, rows in found.items():
        for row in sorted(rows, key=lambda row: str(row["key"])):
            _write(tx, {"name": name, "key": row["key"], "n": row["n"], "cpu": row["cpu"]})


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
