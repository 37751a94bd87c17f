"""The cost ledger, on each database: what attempts used, wasted ones apart, once each."""

from __future__ import annotations

from pathlib import Path

import pytest

from rushes.catalog import ledger, traces
from rushes.catalog.account import Entry
from rushes.catalog.sqlite import SqliteDatabase
from rushes.clock import rfc3339
from rushes.engine.graph import chunk_steps
from rushes.engine.shares import shares
from rushes.errors import Blame, NotFound
from rushes.facts import SourceRef
from rushes.model import ProbeResult
from rushes.plan import Ladder, Rung
from tests.contract.shop import FACTS, LADDER, OOPS, PLAN, Shop
from tests.contract.test_catalog_plans import Planned
from tests.contract.test_encodes import ready

LATER = 400.0


def today(shop: Shop) -> str:
    return rfc3339(shop.clock.now())[:10]


def account(shop: Shop, by: str, tenant: str | None = None) -> dict[str, Entry]:
    return shop.catalog.ledger(by, (today(shop), today(shop)), tenant).entries


def probe(shop: Shop, tenant: str = "default", *, cpu: float = 2.0) -> str:
    """An upload whose probe fails once, which costs half of that, and is done then."""
    asset = shop.upload(tenant)
    assert shop.pipeline.fail(shop.take("probe").job, OOPS, Blame.TRANSIENT, cpu_seconds=cpu / 2, moved=(9, 0))
    shop.clock.advance(LATER)
    done = ProbeResult(facts=FACTS, plan=PLAN)
    assert shop.pipeline.complete(shop.take("probe").job, done, cpu, moved=(9, 4))
    return asset.id


def test_wasted_work_is_in_it_and_apart(shop: Shop) -> None:
    probe(shop)
    found = account(shop, "kind")["probe"]
    assert (found.cpu_seconds, found.wasted_cpu_seconds) == (3.0, 1.0)
    assert (found.bytes_read, found.bytes_written) == (18, 4)


def test_each_attempt_counts_once_however_often_it_is_rolled_up(shop: Shop) -> None:
    probe(shop)
    before = account(shop, "kind")
    for _ in range(3):
        shop.clock.advance(ledger.EVERY + ledger.LAG)
        shop.pipeline.housekeep(-1.0)
        assert account(shop, "kind") == before
    with shop.database.read() as tx:
        assert tx.one("SELECT sum(cpu) AS cpu FROM ledger_days WHERE kind = 'probe'")["cpu"] == 3.0  # type: ignore[index]
        assert ledger._ended(tx, ledger.mark(tx), shop.clock.now()) == []


def test_more_than_a_round_takes_is_taken_in_rounds(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        probe(shop)
    before = account(shop, "kind")
    monkeypatch.setattr(ledger, "BATCH", 2)
    shop.clock.advance(ledger.EVERY + ledger.LAG)
    assert account(shop, "kind") == before


def test_a_reader_says_up_to_when_it_is_complete(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    probe(shop)
    day = (today(shop), today(shop))
    shop.catalog.ledger("kind", day)  # its round has been: the rest is fresh
    shop.clock.advance(1)
    probe(shop)
    shop.clock.advance(1)
    assert shop.catalog.ledger("kind", day).as_of == shop.clock.now()
    monkeypatch.setattr(ledger, "BATCH", 1)
    assert shop.catalog.ledger("kind", day).as_of == shop.clock.now() - 1  # when the last that it reads ended


def test_tenants_apart_with_what_they_have_stored(shop: Shop) -> None:
    probe(shop, "ann")
    probe(shop, "bea", cpu=10.0)
    found = account(shop, "tenant")
    assert {name: entry.cpu_seconds for name, entry in found.items()} == {"ann": 3.0, "bea": 15.0}
    assert {name: entry.bytes_stored for name, entry in found.items()} == {"ann": 9, "bea": 9}  # their sources
    assert set(account(shop, "tenant", "ann")) == {"ann"}
    assert account(shop, "kind", "ann")["probe"].cpu_seconds == 3.0


def test_what_is_deleted_is_stored_no_longer(shop: Shop) -> None:
    shop.catalog.delete(probe(shop, "ann"))
    assert account(shop, "tenant")["ann"].bytes_stored == 0


def test_an_original_that_was_parted_with_is_stored_no_longer(shop: Shop) -> None:
    asset = ready(shop)
    assert account(shop, "tenant")["default"].bytes_stored == 9
    shop.clock.advance(90_000)
    assert shop.pipeline.housekeep(1.0) >= 1
    assert set(account(shop, "tenant")) == set()
    # Nor when the record is written once more
    shop.catalog.update(asset.id, title="later")
    assert set(account(shop, "tenant")) == set()
    assert "source" not in shop.catalog.asset_ledger(asset.id, "rendition").entries


def test_days_outside_are_left_out(shop: Shop) -> None:
    probe(shop)
    assert shop.catalog.ledger("day", ("2001-01-01", "2001-01-02")).entries == {}
    assert set(account(shop, "day")) == {today(shop)}


def test_one_asset_by_rendition(shop: Shop) -> None:
    asset = probe(shop)
    probe(shop)  # another's is not in it
    found = shop.catalog.asset_ledger(asset, "rendition").entries
    assert found[""].cpu_seconds == 3.0
    assert found["source"].bytes_stored == SourceRef(key="", size=9).size
    with pytest.raises(NotFound):
        shop.catalog.asset_ledger("0" * 26, "rendition")


def test_readers_go_by_an_index(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "c.db")
    database.migrate()
    planned = Planned(tmp_path / "c.db")
    ledger._ended(planned, 0.0, 1.0)  # type: ignore[arg-type] # reads only
    ledger._rolled(planned, "kind", ("a", "b"), None)  # type: ignore[arg-type]
    ledger._stored(planned, None)  # type: ignore[arg-type]
    traces.of_attempts(planned, [("s", 1), ("t", 2)])  # type: ignore[arg-type]
    traces._planned(planned, "a")  # type: ignore[arg-type]
    database.close()
    ways = " ".join(planned.steps)
    assert "attempts_ended (finished_at>? AND finished_at<?)" in ways
    assert "ledger_days USING INDEX sqlite_autoindex_ledger_days_1 (day>? AND day<?)" in ways
    assert "SCAN assets USING COVERING INDEX assets_stored" in ways
    assert not [way for way in planned.steps if way in ("SCAN a", "SCAN s", "SCAN d", "SCAN l", "SCAN assets")]


def test_an_encode_is_divided_among_its_rungs() -> None:
    tall = Rung(name="720p", width=1280, height=720, crf=23, max_bitrate=1, buffer_bits=1)
    ladder = LADDER.model_copy(update={"rungs": (tall, *LADDER.rungs)})
    (spec,) = chunk_steps(FACTS, PLAN, Ladder.model_validate(ladder), 0, "encode")
    found = shares(spec.kind, spec.params)
    assert found == {"720p": pytest.approx(0.8), "360p": pytest.approx(0.2)}
    assert shares("audio", {}) == {"audio": 1.0}
    assert shares("encode", {"ladder": {"of": "another version"}}) == {"": 1.0}
