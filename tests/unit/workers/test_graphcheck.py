from __future__ import annotations

from pathlib import Path

import pytest

from rushes.catalog.open import open_database
from rushes.settings import Settings
from rushes.states import Pool
from rushes.workers.graphcheck import releases
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


def test_what_is_known_is_fine(settings: Settings, shop: Shop) -> None:
    shop.upload()
    assert releases(settings).ok


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
