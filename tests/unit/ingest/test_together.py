from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rushes.catalog.catalog import Catalog
from rushes.catalog.change import Store
from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.open import open_database
from rushes.catalog.records import Ticket
from rushes.clock import SystemClock
from rushes.errors import RushesError
from rushes.ingest.access import Caller
from rushes.ingest.admission import admissible
from rushes.ingest.checksum import Check
from rushes.ingest.local import LocalUploadStore
from rushes.ingest.requests import Append, Creation
from rushes.ingest.services import Services
from rushes.ingest.together import LARGEST, Newcomer, Taken, Together, may_go_along, take_all
from rushes.settings import Settings
from rushes.states import AssetState
from rushes.storage.local import LocalStore
from rushes.storage.memory import MemoryStore
from rushes.storage.store import StoreError

CALLER = Caller("t")
SMALL = Creation(length=9, metadata={}, raw_metadata="", body=True)


@pytest.fixture
def services(tmp_path: Path) -> Services:
    return make(tmp_path)


def make(root: Path, objects: Any = None, **settings: Any) -> Services:
    database = open_database(f"sqlite:///{root / 'rushes.db'}")
    database.migrate()
    return Services(
        catalog=Catalog(Store(database)),
        objects=objects or LocalStore(root / "objects"),
        uploads=LocalUploadStore(root / "uploads"),
        settings=Settings(data=root, min_free_bytes=0, **settings),
        clock=SystemClock(),
        tenant_of=lambda request: "t",
    )


def newcomer(services: Services, body: bytes = b"123456789") -> Newcomer:
    creation = replace(SMALL, length=len(body))
    upload, asset = admissible(services.settings, CALLER, creation, services.clock.now())
    assert asset is not None
    return Newcomer(upload, asset, body)


@pytest.mark.parametrize(
    ("creation", "size", "expected"),
    [
        (SMALL, 9, True),
        (replace(SMALL, length=LARGEST), LARGEST, True),
        (replace(SMALL, length=LARGEST + 1), LARGEST + 1, False),
        (SMALL, 8, False),
        (SMALL, None, False),
        (replace(SMALL, length=None), 9, False),
        (replace(SMALL, length=0), 0, False),
        (replace(SMALL, kind="part"), 9, False),
        (replace(SMALL, digests={"sha-256": b""}), 9, False),
    ],
)
def test_only_what_is_small_whole_and_nothing_but_bytes_may_go_along(
    creation: Creation, size: int | None, expected: bool
) -> None:
    assert may_go_along(CALLER, creation, Append(0, size)) is expected


def test_what_has_to_be_proven_or_may_come_twice_does_not_go_along() -> None:
    ticket = Ticket(id="k", tenant="t", secret="s", created_at=1.0, expires_at=2.0)
    assert not may_go_along(CALLER, SMALL, Append(0, 9, check=Check.of({"sha1": b""})))
    assert not may_go_along(Caller("t", ticket=ticket), SMALL, Append(0, 9))


def test_a_store_that_takes_one_at_a_time_and_a_tenant_with_limits_do_not_go_together(tmp_path: Path) -> None:
    assert Together(make(tmp_path)).is_open_to("t")
    assert not Together(make(tmp_path, MemoryStore())).is_open_to("t")
    assert not Together(make(tmp_path, tenant_bandwidth=1000)).is_open_to("t")
    assert not Together(make(tmp_path, tenant_requests=2)).is_open_to("t")


async def test_those_that_come_while_some_are_under_way_go_together_and_each_gets_its_own_end(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    create_uploads = Catalog.create_uploads

    def counted(catalog: Catalog, beginnings: Sequence[Any]) -> list[Any]:
        sizes.append(len(beginnings))
        return create_uploads(catalog, beginnings)

    monkeypatch.setattr(Catalog, "create_uploads", counted)
    together = Together(services)
    newcomers = [newcomer(services, os.urandom(100 + number)) for number in range(20)]
    taken = await asyncio.gather(*(together.take(one) for one in newcomers))
    assert taken == [Taken()] * 20
    assert sizes == [1, 19]
    for one in newcomers:
        assert services.objects.read(one.key) == one.body
        assert services.catalog.asset(one.asset.id).state is AssetState.INGESTED
        assert services.catalog.upload(one.upload.id).state == "finished"
    assert list(services.uploads.list()) == []


async def test_a_request_that_is_cancelled_does_not_disturb_those_it_went_with(services: Services) -> None:
    together = Together(services)
    first, second, third = (asyncio.create_task(together.take(newcomer(services))) for _ in range(3))
    await asyncio.sleep(0)
    second.cancel()
    assert await first == await third == Taken()
    with pytest.raises(asyncio.CancelledError):
        await second


def test_one_whose_bytes_cannot_be_stored_is_there_and_waits_for_them(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    well, badly = newcomer(services), newcomer(services)
    put_new = LocalStore.put_new

    def fails_once(store: LocalStore, objects: Sequence[tuple[str, bytes]]) -> list[StoreError | None]:
        rest = iter(put_new(store, [(key, data) for key, data in objects if key != badly.key]))
        return [StoreError("no") if key == badly.key else next(rest) for key, _ in objects]

    monkeypatch.setattr(LocalStore, "put_new", fails_once)
    taken = take_all(services, services.objects, [badly, well])
    assert isinstance(taken[0].failed, StoreError)
    assert taken[1] == Taken()
    assert services.catalog.upload(badly.upload.id).state == "open"
    assert services.uploads.stat(badly.upload.id).size == 0
    assert services.catalog.upload(well.upload.id).state == "finished"


def test_one_that_breaks_a_transaction_fails_alone(services: Services) -> None:
    wells = [newcomer(services), newcomer(services)]
    broken = replace(newcomer(services), asset=wells[0].asset)  # two uploads cannot make one asset
    taken = take_all(services, services.objects, [wells[0], broken, wells[1]])
    assert (taken[0], taken[2]) == (Taken(), Taken())
    assert taken[1].refused is not None
    for well in wells:
        assert services.catalog.upload(well.upload.id).state == "finished"
        assert services.objects.read(well.key) == well.body
    assert {found.key for found in services.objects.list("")} == {well.key for well in wells}


def test_one_that_is_refused_is_refused_alone(tmp_path: Path) -> None:
    services = make(tmp_path, tenant_bytes_per_day=20)
    taken = take_all(services, services.objects, [newcomer(services) for _ in range(3)])
    assert taken[:2] == [Taken(), Taken()]
    assert isinstance(taken[2].refused, RushesError)
    assert taken[2].refused.status == 429


def test_a_database_that_does_not_answer_refuses_all_and_is_not_asked_for_each(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def unavailable(catalog: Catalog, beginnings: Sequence[Any]) -> list[Any]:
        asked.append(len(beginnings))
        raise DatabaseUnavailable("locked")

    monkeypatch.setattr(Catalog, "create_uploads", unavailable)
    taken = take_all(services, services.objects, [newcomer(services), newcomer(services)])
    assert all(isinstance(one.refused, DatabaseUnavailable) for one in taken)
    assert asked == [2]
    assert [found.key for found in services.objects.list("")] == []


def test_a_database_that_does_not_answer_at_the_end_leaves_uploads_that_can_be_finished(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(catalog: Catalog, arrivals: Sequence[Any]) -> list[Any]:
        raise DatabaseUnavailable("locked")

    monkeypatch.setattr(Catalog, "finish_uploads", unavailable)
    one = newcomer(services)
    (taken,) = take_all(services, services.objects, [one])
    assert isinstance(taken.failed, DatabaseUnavailable)
    assert services.catalog.upload(one.upload.id).state == "open"
    assert services.objects.read(one.key) == one.body
