"""Two releases on one catalog, on each database: the older one neither fails, loses nor mangles what the newer one wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import pytest

from rushes.catalog import steps
from rushes.catalog.catalog import Catalog
from rushes.catalog.change import Store
from rushes.catalog.claiming import Sharing
from rushes.catalog.pipeline import Pipeline
from rushes.engine import version
from rushes.engine.kinds import BY_NAME, KINDS
from rushes.errors import RushesError
from rushes.model import Asset, ChecksumResult, TracksResult
from rushes.states import AssetState, Pool, StepKind, StepState
from tests.contract.shop import Shop
from tests.contract.test_encodes import answer


def change(shop: Shop, asset: Asset, what: str, key: str = "probe") -> None:
    with shop.database.write() as tx:
        tx.execute(f"UPDATE steps SET {what} WHERE asset = :id AND key = :key", {"id": asset.id, "key": key})


def doc(shop: Shop, asset: Asset) -> dict[str, object]:
    with shop.database.read() as tx:
        row = tx.one("SELECT doc FROM assets WHERE id = :id", {"id": asset.id})
    assert row is not None
    found: dict[str, object] = json.loads(row["doc"])
    return found


def test_a_step_of_an_unknown_kind_kills_no_worker_and_no_asset(shop: Shop) -> None:
    strange = shop.upload()
    shop.clock.advance(1)
    good = shop.upload()
    change(shop, strange, "kind = 'hologram'")
    # When workers look for work, they get what they can do
    begun = [shop.claim().job for _ in range(2)]
    assert [(job.asset, job.key) for job in begun] == [(strange.id, "remux"), (good.id, "probe")]
    # And the other one waits, named, uncharged, for somebody who knows it
    assert shop.catalog.asset(strange.id).state is AssetState.INGESTED
    found = next(step for step in shop.catalog.steps(strange.id) if step.key == "probe")
    assert (found.kind, found.attempts) == ("hologram", 0)
    assert found.reason is not None and found.reason.code == "unreadable_step"
    (told,) = shop.catalog.unreadable()
    assert (told.kind, told.steps) == ("hologram", 1)
    # When it is known again, it is done
    change(shop, strange, "kind = 'probe'")
    shop.clock.advance(1000)
    assert strange.id in {shop.claim().job.asset, shop.claim().job.asset, shop.claim().job.asset}


def test_a_step_of_an_unknown_pool_does_not_hurt_those_beside_it(shop: Shop) -> None:
    asset = shop.upload()
    change(shop, asset, "pool = 'moon'", "checksum")
    shop.probe()  # which settles all steps of the asset
    assert shop.states(asset.id)["checksum"] is StepState.READY
    assert next(step for step in shop.catalog.steps(asset.id) if step.key == "checksum").pool == "moon"


def test_an_older_process_keeps_what_a_newer_one_has_written(shop: Shop) -> None:
    asset = shop.upload()
    newer = {**doc(shop, asset), "hologram": {"depth": 3}}
    newer["source"] = {**dict(newer["source"]), "region": "eu"}  # type: ignore[call-overload]
    with shop.database.write() as tx:
        tx.execute("UPDATE assets SET doc = :doc WHERE id = :id", {"doc": json.dumps(newer), "id": asset.id})
    shop.probe()
    shop.catalog.update(asset.id, title="A title")
    found = doc(shop, asset)
    assert (found["title"], found["hologram"]) == ("A title", {"depth": 3})
    assert dict(found["source"])["region"] == "eu"  # type: ignore[call-overload]


def test_a_record_that_only_a_newer_release_can_read_fails_no_asset(shop: Shop) -> None:
    # Given an asset that a newer release works on too
    asset = shop.upload()
    change(shop, asset, f"version = {version.GRAPH + 1}", "checksum")
    newer = {**doc(shop, asset), "state": "projected"}
    with shop.database.write() as tx:
        tx.execute("UPDATE assets SET doc = :doc WHERE id = :id", {"doc": json.dumps(newer), "id": asset.id})
    # Then who asks for it is told so
    with pytest.raises(RushesError, match="unreadable_record"):
        shop.catalog.asset(asset.id)
    # And when an older worker comes to a step of it
    assert shop.pipeline.claim(tuple(Pool), "old") is None
    # Then that step waits
    with shop.database.read() as tx:
        rows = tx.all(
            "SELECT state, attempts, reason_code FROM steps WHERE asset = :id AND key = 'probe'", {"id": asset.id}
        )
    assert [(row["attempts"], row["reason_code"]) for row in rows] == [(0, "unreadable_step")]
    assert doc(shop, asset) == newer


# -- a whole process of the release before ----------------------------------------------------------------------------

BEFORE = version.GRAPH - 1
NEW = "analyze"
"""The kind that it does not know."""


class Older(Shop):
    """A process of the release before, on the same catalog: it knows one graph version and one kind less."""

    def __init__(self, shop: Shop) -> None:
        self.clock, self.rings, self.database = shop.clock, [], shop.database
        store = Store(shop.database, shop.clock)
        self.catalog = Catalog(store)
        sharing = Sharing(graph=BEFORE)
        self.pipeline = Pipeline(store, lease=30.0, max_attempts=3, tool="ffmpeg-test", sharing=sharing)

    @contextmanager
    def acting(self) -> Iterator[None]:
        kinds = {kind: what for kind, what in KINDS.items() if kind != NEW}
        names = {name: what for name, what in BY_NAME.items() if name != NEW}
        members = {name: kind for name, kind in StepKind._value2member_map_.items() if name != NEW}
        with (
            mock.patch.dict(KINDS, kinds, clear=True),
            mock.patch.dict(BY_NAME, names, clear=True),
            mock.patch.object(StepKind, "_value2member_map_", members),
            mock.patch.object(StepKind, "_member_names_", [kind.name for kind in StepKind if kind != NEW]),
            mock.patch.object(steps, "GRAPH", BEFORE),
        ):
            yield


def rows(shop: Shop, asset: Asset) -> dict[str, tuple[object, ...]]:
    """What a step's row says of its work, by key."""
    with shop.database.read() as tx:
        found = tx.all(
            "SELECT key, kind, version, state, attempts, fence, params FROM steps WHERE asset = :id", {"id": asset.id}
        )
    return {row["key"]: tuple(row[name] for name in ("kind", "version", "state", "attempts", "fence")) for row in found}


def test_the_older_process_neither_sees_nor_fails_nor_mangles_what_is_newer(shop: Shop) -> None:
    # Given an asset that a newer release has planned, with a kind that the older one does not know
    older, newer = Older(shop), shop.upload("a")
    shop.probe()
    change(shop, newer, f"kind = '{NEW}', pool = 'video'", "encode.0")
    extra = {**doc(shop, newer), "hologram": [1, 2]}
    with shop.database.write() as tx:
        tx.execute("UPDATE assets SET doc = :doc WHERE id = :id", {"doc": json.dumps(extra), "id": newer.id})
    before = rows(shop, newer)
    with older.acting():
        # When the older one works on what it has planned itself
        own = older.upload("b")
        while (claim := older.pipeline.claim(tuple(Pool), "old")) is not None:
            assert claim.job.asset == own.id
            older.pipeline.complete(claim.job, answer(claim.job), 0.1)
            older.clock.advance(1)
        # And looks at what is newer, and tidies up
        assert older.catalog.asset(newer.id).state is AssetState.INGESTED
        assert {step.kind for step in older.catalog.steps(newer.id)} >= {NEW}
        assert {asset.id for asset in older.catalog.assets(tenant=None)[0]} == {own.id, newer.id}
        assert older.catalog.why(newer.id)
        older.pipeline.reconcile()
        older.pipeline.housekeep(-1)
        older.catalog.update(newer.id, title="Mine")
    # Then its own is done, and the other as it was, but for what was asked
    assert older.catalog.asset(own.id).state is AssetState.READY
    assert rows(shop, newer) == before
    assert (doc(shop, newer)["hologram"], doc(shop, newer)["title"]) == ([1, 2], "Mine")
    # And a newer worker does it
    assert shop.take("encode.0").job.kind is StepKind.ANALYZE


def test_the_older_process_takes_back_what_a_newer_worker_has_lost(shop: Shop) -> None:
    """The reconciler is one process's office, whatever its release."""
    older, asset = Older(shop), shop.upload()
    shop.probe()
    change(shop, asset, f"kind = '{NEW}'", "encode.0")
    shop.take("encode.0")
    shop.clock.advance(31)
    with older.acting():
        assert older.pipeline.reconcile() >= 1
    assert shop.states(asset.id)["encode.0"] is StepState.WAITING
    shop.clock.advance(60)
    assert shop.take("encode.0").job.fence == 2


def test_the_older_process_makes_ready_what_it_cannot_do(shop: Shop) -> None:
    """Steps of one asset may be of two releases: it was uploaded before the deploy, and planned during it."""
    older = Older(shop)
    with older.acting():
        asset = older.upload()
        older.probe()
    assert {found[1] for found in rows(shop, asset).values()} == {BEFORE}
    change(shop, asset, f"version = {version.GRAPH}, kind = '{NEW}', pool = 'moon'", "package.ready")
    with older.acting():
        while (claim := older.pipeline.claim(tuple(Pool), "old")) is not None:
            assert older.pipeline.complete(claim.job, answer(claim.job), 0.1)
    assert shop.states(asset.id)["package.ready"] is StepState.READY
    assert shop.catalog.asset(asset.id).state is AssetState.INGESTED


def test_the_older_process_names_no_work_that_it_does_not_know(shop: Shop) -> None:
    """The digest of a source gives names to what was done before it was known."""
    older = Older(shop)
    with older.acting():
        asset = older.upload()
        older.probe()
        older.do("encode.0", TracksResult(tracks=()))
    change(shop, asset, f"kind = '{NEW}', work = NULL", "encode.0")
    with older.acting():
        older.do("checksum", ChecksumResult(sha256="0" * 64))
    assert shop.states(asset.id)["checksum"] is StepState.DONE
