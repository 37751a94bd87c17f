"""What it costs to fold history away: `ATTEMPTS` (1,000,000) attempts of 50,000 assets that rest, in rounds until none is left, and
beside these, what a round costs that finds nothing old. On a PostgreSQL of its own.

    python -m bench.history

Fails where a round takes longer than its seconds (`history.EVERY`): then it would be nobody's any more while somebody is at it.
"""

from __future__ import annotations

import os
import sys
from statistics import median

import psycopg

from rushes.catalog import history, ledger, offices
from rushes.catalog.change import Store
from rushes.catalog.database import Database, Session
from rushes.catalog.open import open_database
from rushes.clock import ManualClock, SystemClock
from tests.services.postgres import binaries, running_postgres

ATTEMPTS = int(os.environ.get("ATTEMPTS", "1000000"))
EACH = 20
"""Attempts of an asset."""
ENOUGH = float(os.environ.get("ENOUGH", "150"))
"""Seconds of rounds after which the rest is reckoned."""
DAY = 86_400.0


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
            before = _size(connection)
            slowest = _measure(database)
            connection.execute("VACUUM ANALYZE attempts")
            print(
                f"  attempts with their indexes: {before / 1e6:.0f} MB before, {_size(connection) / 1e6:.0f} MB after"
            )
        database.close()
    if slowest > history.EVERY:
        sys.exit(f"A round took {slowest:.1f} s.")


def _seed(tx: Session) -> None:
    tx.execute("SET LOCAL statement_timeout = 0")
    tx.execute("INSERT INTO tenants (id) VALUES ('t')")
    tx.execute(
        "INSERT INTO assets (id, tenant, state, publication, created_at, profile, policy, doc) SELECT 'a' || g, 't', 'ready',"
        f" 'private', 0, '{{}}', '{{}}', '{{}}' FROM generate_series(0, {ATTEMPTS // EACH - 1}) g"
    )
    tx.execute(
        "INSERT INTO steps (id, asset, tenant, source_version, key, kind, pool, params, required, priority, cost, state, waiting,"
        " created_at, finished_at, fence) SELECT 's' || g, 'a' || (g / 20), 't', 1, 'encode.' || (g % 20), 'encode', 'video',"
        f" '{{}}', 1, 0, 5.0, 'done', 0, 0, g, 1 FROM generate_series(0, {ATTEMPTS - 1}) g"
    )
    tx.execute(
        "INSERT INTO attempts (step, fence, worker, started_at, finished_at, outcome, cpu_seconds, detail)"
        " SELECT id, 1, 'worker-1', finished_at, finished_at, 'done', 1.0, NULL FROM steps"
    )
    tx.execute(
        "INSERT INTO offices (name, holder, until, place) VALUES (:name, '', 0, :place)",
        {"name": ledger.LEDGER, "place": repr(10.0 * ATTEMPTS)},
    )


def _size(connection: psycopg.Connection[tuple[int]]) -> int:
    found = connection.execute("SELECT pg_total_relation_size('attempts')").fetchone()
    return found[0] if found else 0


def _measure(database: Database) -> float:
    clock, wall = ManualClock(ATTEMPTS + 30 * DAY), SystemClock()
    store, took, gone = Store(database, clock), list[float](), 0
    while gone < ATTEMPTS and sum(took) < ENOUGH:
        clock.advance(history.EVERY + 1)
        began = wall.monotonic()
        found = history.fold(store, "w", 30.0)
        took.append(wall.monotonic() - began)
        if not found.attempts:
            break
        gone += found.attempts
    took, total = sorted(took), sum(took)
    print(f"{gone:,} of {ATTEMPTS:,} attempts in {len(took):,} rounds: {total:.0f} s, {gone / total:,.0f} attempts/s")
    print(f"  a round: median {median(took):.2f} s, p99 {took[int(0.99 * len(took))]:.2f} s, longest {took[-1]:.2f} s")
    print(f"  one that is not due: {1000 * _idle(store, clock, wall):.2f} ms")
    return took[-1]


def _idle(store: Store, clock: ManualClock, wall: SystemClock) -> float:
    with store.database.write() as tx:
        offices.done(tx, history.HISTORY, clock.now(), rest=history.REST)
    times = []
    for _ in range(200):
        began = wall.monotonic()
        history.fold(store, "w", 30.0)
        times.append(wall.monotonic() - began)
    return median(times)


if __name__ == "__main__":
    main()
