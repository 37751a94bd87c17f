"""What it costs to know the fleet's load: one sample of all open steps, and a look at what was sampled.

`READY` (1,000,000) ready steps of 1,000 tenants beside `DONE` (1,000,000) done ones, on a PostgreSQL of its own. Fails where a look
takes more than a hundredth of adding the steps up, as each look did before docs/decisions/0037.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from statistics import median

import psycopg

from rushes.catalog import loads, queue, tallies
from rushes.catalog.catalog import Catalog
from rushes.catalog.change import Store
from rushes.catalog.database import Database, Session
from rushes.catalog.open import open_database
from rushes.clock import SystemClock
from tests.services.postgres import binaries, running_postgres

READY = int(os.environ.get("READY", "1000000"))
DONE = int(os.environ.get("DONE", "1000000"))
ASSETS, TENANTS = 100_000, 1_000


def main() -> None:
    programs = binaries()
    if programs is None:
        sys.exit("There is no PostgreSQL on this machine.")
    with running_postgres(programs) as server:
        url = server.fresh()
        database = open_database(url)
        with database.write() as tx:
            _seed(tx)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        _measure(Store(database), database)
        database.close()


def _seed(tx: Session) -> None:
    tx.execute("SET LOCAL statement_timeout = 0")
    tx.execute(f"INSERT INTO tenants (id) SELECT 't' || g FROM generate_series(0, {TENANTS - 1}) g")
    tx.execute(
        "INSERT INTO assets (id, tenant, state, publication, created_at, profile, policy, doc) SELECT 'a' || g,"
        f" 't' || (g % {TENANTS}), 'ready', 'private', 0, '{{}}', '{{}}', '{{}}' FROM generate_series(0, {ASSETS - 1}) g"
    )
    for state, count in (("ready", READY), ("done", DONE)):
        tx.execute(
            "INSERT INTO steps (id, asset, tenant, source_version, key, kind, pool, params, required, priority, cost, state,"
            f" waiting, created_at, not_before, ready_at, class, deadline, version) SELECT '{state}' || g,"
            f" 'a' || (g % {ASSETS}), 't' || (g % {TENANTS}), 1, '{state}.' || g, (ARRAY['encode', 'audio', 'poster'])[1 + g % 3],"
            " (ARRAY['video', 'audio', 'image'])[1 + g % 3], repeat('x', 600), 1, 10, 5.0,"
            f" '{state}', 0, 0, 0, g, g % 3, g, 1 FROM generate_series(1, {count}) g"
        )
    queue.mend(tx, 1.0)


def _measure(store: Store, database: Database) -> None:
    def read(action: Callable[[Session], object]) -> Callable[[], object]:
        def run() -> object:
            with database.read() as tx:
                return action(tx)

        return run

    catalog = Catalog(store)
    sample = _told("one sample of all open steps", 5, read(lambda tx: loads.measured(tx, 1.0)))
    catalog.counts()
    looks = [
        _told("a look at pools and workers", 50, catalog.fleet),
        _told("a look at the backlog", 50, catalog.backlog),
        _told("numbers for /metrics", 50, catalog.counts),
    ]
    _told("all lanes of ready steps", 3, read(lambda tx: tx.all(queue_walk())))
    _told("assets by state, copied results", 5, read(lambda tx: [tx.all(one) for one in tallies.COUNTED.values()]))
    if max(looks) > sample / 100:
        sys.exit("A look costs more than a hundredth of a sample.")


def queue_walk() -> str:
    return f"SELECT DISTINCT {queue.LANE} FROM steps WHERE state = 'ready'"


def _told(name: str, times: int, action: Callable[[], object]) -> float:
    """Median seconds."""
    clock, took = SystemClock(), []
    for _ in range(times):
        began = clock.monotonic()
        action()
        took.append(clock.monotonic() - began)
    print(f"{name:34} {1000 * median(took):9.2f} ms")
    return median(took)


if __name__ == "__main__":
    main()
