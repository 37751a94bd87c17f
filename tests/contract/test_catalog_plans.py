"""Queries of the hot paths go by an index, however many uploads there are."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from rushes.catalog import avoidance, bookings, fleet, holds, loads, making_room, repairs, uploads
from rushes.catalog.database import Params, Row, Session
from rushes.catalog.records import Upload
from rushes.catalog.sqlite import SqliteDatabase
from rushes.facts import SourceRef
from rushes.model import Asset
from tests.contract.shop import Shop
from tests.contract.test_upload_holds import open_upload

JOINED = Upload(
    id="j", asset="a", tenant="t", kind="joined", parts=("x", "y"), length=None, created_at=1.0, expires_at=2.0
)


class Planned:
    """Asks SQLite how it would go about each statement, and finds nothing."""

    now, lock, skip = 0.0, "", ""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path)
        self.steps: list[str] = []

    def all(self, statement: str, parameters: Params | None = None) -> list[Row]:
        rows = self._connection.execute(f"EXPLAIN QUERY PLAN {statement}", dict(parameters or {})).fetchall()
        self.steps += [row[3] for row in rows]
        return []

    def one(self, statement: str, parameters: Params | None = None) -> Row | None:
        self.all(statement, parameters)
        return None


def of_part(tx: Session) -> object:
    return uploads.joined_from(tx, "x")


def of_same(tx: Session) -> object:
    return uploads.same_joined(tx, JOINED)


def of_taken(tx: Session) -> object:
    return bookings.is_taken(tx, "x")


def of_load(tx: Session) -> object:
    return fleet.load(tx, 1.0)


def of_fleet(tx: Session) -> object:
    return fleet.view(tx, 1.0)


def of_sample(tx: Session) -> object:
    return loads.measured(tx, 1.0)


def of_recount(tx: Session) -> object:
    return repairs.next_waiting(tx, "")


def of_bulk(tx: Session) -> object:
    return making_room.bulk_running(tx)


def of_holder(tx: Session) -> object:
    return holds.wanted(tx, "owner")


def of_twin(tx: Session) -> object:
    return avoidance.twin(tx, "t", "work")


def of_like_sources(tx: Session) -> object:
    return avoidance.is_likely(tx, Asset(id="a", tenant="t", created_at=1.0, source=SourceRef(key="k", size=9)))


@pytest.mark.parametrize(
    ("ask", "way"),
    [
        (of_part, "SEARCH u USING INDEX sqlite_autoindex_uploads_1 (id=?)"),
        (of_same, "SEARCH u USING INDEX sqlite_autoindex_uploads_1 (id=?)"),
        (of_taken, "SEARCH j USING INDEX sqlite_autoindex_uploads_1 (id=?)"),
        (of_load, "SCAN pool_loads"),
        (of_fleet, "SCAN steps USING INDEX steps_shares"),
        (of_sample, "SCAN steps USING INDEX steps_head"),
        (of_sample, "SCAN steps USING INDEX steps_waiting"),
        (of_recount, "SEARCH steps USING INDEX steps_waiting (asset>?)"),
        (of_bulk, "SCAN steps USING INDEX steps_shares"),
        (of_holder, "SCAN upload_holds USING INDEX upload_holds_wanted"),
        (of_twin, "SEARCH s USING INDEX steps_by_work (tenant=? AND work=?)"),
        (of_like_sources, "SEARCH assets USING INDEX assets_by_source_size (tenant=? AND source_size=?)"),
    ],
)
def test_sqlite_goes_by_an_index(ask: Callable[[Session], object], way: str, tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "c.db")
    database.migrate()
    planned = Planned(tmp_path / "c.db")
    ask(planned)  # type: ignore[arg-type] # reads only
    found = [step.replace("SEARCH upload_holds", "SCAN upload_holds").split(" (wanted")[0] for step in planned.steps]
    assert way in found
    assert not [step for step in found if step in ("SCAN steps", "SCAN uploads", "SCAN u", "SCAN upload_holds")]
    assert not [step for step in found if "uploads_open" in step or "uploads_of_day" in step]
    database.close()


@pytest.mark.parametrize("fresh_database", ["postgresql"], indirect=True)
def test_postgresql_renews_and_hands_on_leases_without_touching_an_index(shop: Shop) -> None:
    """Heap-only updates: what they change must be in no index, or a thousand renewals a second would write to each."""
    name = open_upload(shop.catalog, shop.clock.now())
    with shop.database.write() as tx:
        for owner in ("a", "b"):
            fence = holds.take(tx, shop.clock.now(), 5.0, upload=name, owner=owner, wanted=holds.Wanted.NO).fence
            holds.renew(tx, shop.clock.now(), 5.0, owner, {name: holds.Held(fence, 0.5)})
            holds.release(tx, name, owner, fence)
        changed = tx.one(
            "SELECT pg_stat_get_xact_tuples_updated('upload_holds'::regclass) AS all_of_them,"
            " pg_stat_get_xact_tuples_hot_updated('upload_holds'::regclass) AS heap_only"
        )
    assert changed is not None
    assert changed["all_of_them"] == changed["heap_only"] > 4
