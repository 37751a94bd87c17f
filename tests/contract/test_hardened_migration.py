"""Migration 0012 on a database in the middle of its work: nothing is lost, doubled or begun too early, and nobody waits in a
circle with it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rushes.catalog.database import Database, migrations
from rushes.catalog.open import open_database
from rushes.facts import SourceRef
from rushes.keys import new_id
from rushes.model import Asset
from rushes.settings import load_policy, load_profile
from rushes.states import AssetState, Pool, StepState
from tests.contract.parallel import Site
from tests.contract.shop import Shop

if TYPE_CHECKING:
    from tests.services.postgres import Postgres

NOW = 1_750_000_000.0
"""The shop's clock."""


def before(url: str, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database as the version before left it."""
    database = open_database(url)
    older = [each for each in migrations() if each[0] < "0012"]
    with monkeypatch.context() as patch:
        patch.setattr("rushes.catalog.database.migrations", lambda: older)
        database.migrate()
    return database


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    server: Postgres | None = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    url = server.empty() if server else f"sqlite:///{tmp_path / 'old.db'}"
    database = before(url, monkeypatch)
    yield database
    database.close()
    if server:
        server.drop(url)


def add_asset(database: Database, tenant: str = "t") -> str:
    name = new_id(NOW)
    source = SourceRef(key=f"sources/{tenant}/{name}/1", size=9)
    noun = Asset(id=name, tenant=tenant, created_at=NOW, source=source, state=AssetState.INGESTED)
    with database.write() as tx:
        tx.execute("INSERT INTO tenants (id) VALUES (:tenant) ON CONFLICT DO NOTHING", {"tenant": tenant})
        tx.execute(
            "INSERT INTO assets (id, tenant, state, publication, created_at, doc, profile, policy, source_size)"
            " VALUES (:id, :tenant, 'ingested', 'private', :now, :doc, :profile, :policy, 9)",
            {
                "id": name,
                "tenant": tenant,
                "now": NOW,
                "doc": noun.model_dump_json(),
                "profile": load_profile("fast").model_dump_json(),
                "policy": load_policy("development").model_dump_json(),
            },
        )
    return name


def add_step(database: Database, asset: str, key: str, state: str, **values: object) -> str:
    row: dict[str, object] = {
        "id": new_id(NOW), "asset": asset, "tenant": "t", "source_version": 1, "key": key, "kind": "poster", "pool": "image",
        "params": "{}", "required": 0, "priority": 10, "cost": 1.0, "state": state, "waiting": 0, "created_at": NOW - 10, **values,
    }  # fmt: skip
    with database.write() as tx:
        tx.execute(f"INSERT INTO steps ({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)})", row)
    return str(row["id"])


def columns(database: Database, names: str) -> dict[str, tuple[object, ...]]:
    with database.read() as tx:
        return {
            row["key"]: tuple(row[name] for name in names.split(", "))
            for row in tx.all(f"SELECT key, {names} FROM steps")
        }


def test_steps_in_every_state_go_on_as_they_were(old: Database) -> None:
    asset = add_asset(old)
    ended = {state: add_step(old, asset, state, state) for state in ("done", "skipped", "failed", "cancelled")}
    ready = add_step(old, asset, "now", "ready", ready_at=NOW - 5)
    add_step(old, asset, "urgent", "ready", ready_at=NOW - 5, priority=20)
    add_step(old, asset, "soon", "ready", ready_at=NOW - 5, not_before=NOW + 100)
    add_step(old, asset, "past", "ready", ready_at=NOW - 5, not_before=NOW - 100)
    running = add_step(
        old,
        asset,
        "running",
        "running",
        fence=2,
        attempts=2,
        lease_owner="w",
        lease_expires=NOW + 15,
        started_at=NOW - 3,
    )
    behind = add_step(old, asset, "behind", "waiting", waiting=7)
    with old.write() as tx:
        for fence, outcome in ((1, "failed"), (2, None)):
            tx.execute(
                "INSERT INTO attempts (step, fence, worker, started_at, outcome) VALUES (:step, :fence, 'w', 1.0, :outcome)",
                {"step": running, "fence": fence, "outcome": outcome},
            )
        for after in (*ended.values(), ready, running):
            tx.execute("INSERT INTO step_after (step, after) VALUES (:step, :after)", {"step": behind, "after": after})
    assert old.migrate()[0] == "0012_hardened.sql"
    found = columns(old, "state, waiting, class, not_before")
    assert {key: value for key, value in found.items() if key not in ended} == {
        "now": ("ready", 0, 2, 0.0), "urgent": ("ready", 0, 3, 0.0), "soon": ("waiting", 0, 2, NOW + 100),
        "past": ("waiting", 0, 2, NOW - 100), "running": ("running", 0, 2, 0.0), "behind": ("waiting", 2, 2, 0.0),
    }  # fmt: skip
    # What is due is begun, and nothing else
    shop = Shop(old)
    claimed = []
    while claim := shop.pipeline.claim((Pool.IMAGE,), "w1"):
        claimed.append(claim.job.key)
    assert sorted(claimed) == ["now", "past", "urgent"]
    # What ran is taken back when its lease is over, and what waits for its time is begun then
    shop.clock.advance(16)
    shop.pipeline.reconcile()
    assert shop.states(asset)["running"] in (StepState.WAITING, StepState.READY)
    shop.clock.advance(500)
    assert shop.claim(Pool.IMAGE).job.key in ("soon", "running")


def test_it_waits_in_no_circle_with_those_that_are_at_work(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction has its asset, and wants its steps, while the tables are changed."""
    url = postgres.empty()
    database = before(url, monkeypatch)
    asset = add_asset(database)
    add_step(database, asset, "now", "ready")
    with ThreadPoolExecutor(1) as thread:
        with database.write() as tx:
            tx.one(f"SELECT id FROM assets WHERE id = :id{tx.lock}", {"id": asset})
            migrated = thread.submit(database.migrate)
            Site(url).until_waiting()
            assert tx.execute("UPDATE steps SET priority = 11") == 1
        assert migrated.result()[0] == "0012_hardened.sql"
    database.close()
    postgres.drop(url)
