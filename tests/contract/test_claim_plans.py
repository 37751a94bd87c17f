"""What a claim reads does not grow with what waits: on both databases it goes by indexes, and on PostgreSQL the pages that it
touches are counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench.dispatch import fill
from rushes.catalog import queue, standing
from rushes.catalog.database import Params, Row, Session
from rushes.catalog.queue import Lane, Look
from rushes.catalog.sqlite import SqliteDatabase
from rushes.engine.version import GRAPH
from rushes.states import Pool
from tests.contract.parallel import Site
from tests.contract.test_catalog_plans import Planned

if TYPE_CHECKING:
    from tests.services.postgres import Postgres

LOOK = Look((Pool.IMAGE,), 1e9, GRAPH)
LANE = Lane("image", "tenant-1", 2, GRAPH)
FEW, MANY = (500, 5), (20_000, 200)
"""(steps, tenants)"""


def claim(tx: Session) -> object:
    return queue.claim(tx, LOOK, "w", 30.0)


def aged(tx: Session) -> object:
    return queue.claim(tx, LOOK._replace(aged=1e8), "w", 30.0)


def lanes(tx: Session) -> object:
    return queue.lanes(tx, LOOK)


def due(tx: Session) -> object:
    return queue.is_due(tx, 1e9)


def enter(tx: Session) -> None:
    queue.enter(tx, LANE, 1e9)


def leave(tx: Session) -> None:
    queue.leave(tx, LANE, -0.5)


ASKED: list[Callable[[Session], object]] = [claim, aged, lanes, due, enter, leave]


class Counted:
    """Has PostgreSQL carry out each statement, and adds up the pages of 8 KB it touched."""

    def __init__(self, tx: Session) -> None:
        self._tx = tx
        self.now, self.lock, self.skip = tx.now, tx.lock, tx.skip
        self.pages = 0

    def one(self, statement: str, parameters: Params | None = None) -> Row | None:
        found = self._tx.one(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", parameters)
        assert found is not None
        plan: dict[str, Any] = found["QUERY PLAN"][0]["Plan"]
        self.pages += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        return None

    def all(self, statement: str, parameters: Params | None = None) -> list[Row]:
        self.one(statement, parameters)
        return []

    def later(self, statement: str, parameters: Params | None = None) -> None:
        self.one(statement, parameters)


def pages(postgres: Postgres, steps: int, tenants: int) -> dict[str, int]:
    url = postgres.fresh()
    fill(url, steps, tenants, waiting=steps // 10)
    site = Site(url)
    found = {}
    for ask in ASKED:
        with site.database.write() as tx:
            counted = Counted(tx)
            ask(counted)  # type: ignore[arg-type] # it asks and tells, and takes no turns
        found[ask.__name__] = counted.pages
    site.database.close()
    postgres.drop(url)
    return found


def test_postgresql_reads_no_more_pages_among_forty_times_as_much(postgres: Postgres) -> None:
    few, many = pages(postgres, *FEW), pages(postgres, *MANY)
    assert many["claim"] <= 2 * few["claim"], (few, many)
    assert sum(many.values()) <= 2 * sum(few.values()), (few, many)


def test_who_is_next_is_told_so_without_a_walk_through_all_that_come_after_it(postgres: Postgres) -> None:
    url = postgres.fresh()
    fill(url, 20_000, 1)
    site = Site(url)
    with site.database.write() as tx:
        row = tx.one(f"SELECT {queue.COLUMNS} FROM steps WHERE state = 'ready' ORDER BY deadline, id LIMIT 1")
        assert row is not None
        counted = Counted(tx)
        standing.queue_of(counted, row)  # type: ignore[arg-type] # as above
    site.database.close()
    postgres.drop(url)
    assert counted.pages < 60


def test_a_scan_would_be_seen(postgres: Postgres) -> None:
    """The count of pages is worth something: without the index a claim reads more of them."""
    url = postgres.fresh()
    fill(url, *MANY)
    site = Site(url)
    counts = []
    for harm in ("SELECT 1", "DROP INDEX steps_head"):
        with site.database.write() as tx:
            tx.execute(harm)
            counted = Counted(tx)
            claim(counted)  # type: ignore[arg-type] # as above
        counts.append(counted.pages)
    site.database.close()
    postgres.drop(url)
    assert counts[1] > 3 * counts[0]


@pytest.mark.parametrize(
    ("ask", "ways"),
    [
        (claim, {"steps_head (pool=? AND class=? AND tenant=? AND version=?)", "queues_open (pool=?)"}),
        (aged, {"steps_head (pool=? AND class=? AND tenant=? AND version=?)", "queues_since (pool=? AND since<?)"}),
        (lanes, {"queues_open (pool=?)"}),
        (due, {"steps_timed (not_before>? AND not_before<?)"}),
    ],
)
def test_sqlite_goes_by_an_index(ask: Any, ways: set[str], tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "c.db")
    database.migrate()
    planned = Planned(tmp_path / "c.db")
    ask(planned)
    ways_taken = {step.partition("INDEX ")[2] for step in planned.steps}
    assert ways <= ways_taken, planned.steps
    assert not [
        step for step in planned.steps if step.startswith("SCAN") and "CONSTANT" not in step and " q" not in step
    ]
    assert not [step for step in planned.steps if "TEMP B-TREE" in step]
    database.close()
