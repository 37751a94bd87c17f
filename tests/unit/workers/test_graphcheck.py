from __future__ import annotations

from pathlib import Path

import pytest

from rushes.catalog.open import open_database
from rushes.catalog.workforce import Presence
from rushes.clock import SystemClock
from rushes.settings import Settings
from rushes.states import Pool
from rushes.workers.graphcheck import past, releases
from tests.contract.shop import Shop


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path)


@pytest.fixture
def shop(settings: Settings) -> Shop:
    database = open_database(settings.database)
    database.migrate()
    return Shop(database)


def test_before_there_is_a_database_there_is_nothing_to_say(settings: Settings) -> None:
    assert releases(settings).ok


def test_how_far_back_attempts_are_kept(settings: Settings, shop: Shop) -> None:
    assert "no attempts" in past(settings, shop.clock).detail
    shop.upload()
    shop.probe()
    shop.clock.advance(40 * 86_400)
    found = past(settings, shop.clock)
    assert found.ok and "attempts of 40 days, kept for ever (RUSHES_KEEP_HISTORY" in found.detail
    bounded = settings.model_copy(update={"keep_history": 30.0})
    assert "to be kept for 30; not looked through yet" in past(bounded, shop.clock).detail
    shop.pipeline.fold_history("w", 30.0)
    shop.clock.advance(7200)
    assert "looked through 2.0 h ago" in past(bounded, shop.clock).detail


def test_what_is_known_is_fine(settings: Settings, shop: Shop) -> None:
    shop.upload()
    assert releases(settings).ok


def test_without_a_worker_nobody_is_said_to_know_anything(settings: Settings, shop: Shop) -> None:
    shop.upload()
    assert "no worker is there" in releases(settings).detail
    shop.pipeline.report("w1", Presence(pools=(Pool.IO,), slots=1))
    with shop.database.write() as tx:
        tx.execute("UPDATE workers SET seen_at = :now", {"now": SystemClock().now()})
    assert releases(settings).detail.endswith("every open step is known to a worker")


def test_steps_that_nobody_knows_are_named_with_their_kind_and_version(settings: Settings, shop: Shop) -> None:
    shop.upload()
    with shop.database.write() as tx:
        tx.execute("UPDATE steps SET kind = 'hologram', version = 7 WHERE key = 'probe'")
        tx.execute("UPDATE steps SET kind = 'hologram' WHERE key = 'checksum'")
    while shop.pipeline.claim((Pool.IO,), "w1"):
        pass
    found = releases(settings)
    assert not found.ok
    assert "1 of kind hologram (version 1, pool io)" in found.detail
