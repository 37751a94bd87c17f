"""Who appends to an upload: the leases of the catalog, on each database, and two processes that live by them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from rushes.catalog.catalog import Catalog
from rushes.catalog.change import Store
from rushes.catalog.database import Database, DatabaseUnavailable
from rushes.catalog.holds import Held, Wanted
from rushes.catalog.records import Upload
from rushes.ingest.fleet import FleetHolds, Pace
from rushes.ingest.hold import Hold, Holds, Locked
from rushes.keys import new_id
from rushes.model import Asset
from tests.contract.shop import Shop

LEASE = 5.0


def open_upload(catalog: Catalog, now: float) -> str:
    asset = Asset(id=new_id(now), tenant="t", created_at=now)
    upload = Upload(id=new_id(now), asset=asset.id, tenant="t", length=5, created_at=now, expires_at=now + 1)
    catalog.create_upload(upload, asset)
    return upload.id


@pytest.fixture
def upload(shop: Shop) -> str:
    return open_upload(shop.catalog, shop.clock.now())


def take(shop: Shop, upload: str, owner: str, wanted: Wanted = Wanted.IF_SILENT) -> int:
    return shop.catalog.take_hold(upload, owner, LEASE, wanted).fence


# -- the rows ---------------------------------------------------------------------------------------------------------


def test_one_owner_at_a_time_and_the_fence_rises(shop: Shop, upload: str) -> None:
    fence = take(shop, upload, "a")
    assert fence > 0
    assert take(shop, upload, "b") == 0
    assert shop.catalog.has_hold(upload, "a", fence)
    shop.catalog.release_hold(upload, "a", fence)
    assert not shop.catalog.has_hold(upload, "a", fence)
    assert take(shop, upload, "b") == fence + 1


async def test_the_fence_is_above_what_one_process_alone_gave_before(shop: Shop, upload: str) -> None:
    async with Holds().claim(upload) as hold:
        before = hold.fence
    # Given the clock of that process, and a catalog whose rows are new, or come back from an old backup
    shop.clock.advance(before / 1000 - shop.clock.now() + 1)
    first = take(shop, upload, "a")
    assert first > before
    shop.catalog.release_hold(upload, "a", first)
    shop.clock.advance(86_400)
    assert take(shop, upload, "b") == int(shop.clock.now() * 1000)


def test_a_clock_that_goes_back_lowers_no_fence(shop: Shop, upload: str) -> None:
    fence = take(shop, upload, "a")
    shop.catalog.release_hold(upload, "a", fence)
    shop.clock.advance(-86_400)
    assert take(shop, upload, "b") == fence + 1


def test_a_lease_that_is_not_renewed_can_be_taken(shop: Shop, upload: str) -> None:
    fence = take(shop, upload, "a")
    shop.clock.advance(LEASE - 0.1)
    assert take(shop, upload, "b") == 0
    shop.clock.advance(0.2)
    assert shop.catalog.ask_for_hold(upload, Wanted.IF_SILENT) is None
    assert shop.catalog.has_hold(upload, "a", fence)  # as long as nobody took it, nobody else has written
    assert take(shop, upload, "b") == fence + 1
    # And its late owner can neither renew nor release what is another's
    assert shop.catalog.renew_holds("a", LEASE, {upload: Held(fence, 0.0)}) == {}
    shop.catalog.release_hold(upload, "a", fence)
    assert shop.catalog.has_hold(upload, "b", fence + 1)


def test_renewing_keeps_the_lease_and_tells_once_what_others_want(shop: Shop, upload: str) -> None:
    fence = take(shop, upload, "a")
    assert shop.catalog.renew_holds("a", LEASE, {upload: Held(fence, 0.0)}) == {upload: Wanted.NO}
    take(shop, upload, "b", Wanted.AT_ONCE)
    take(shop, upload, "c", Wanted.IF_SILENT)
    shop.clock.advance(LEASE - 1)
    assert shop.catalog.renew_holds("a", LEASE, {upload: Held(fence, 0.0)}) == {upload: Wanted.AT_ONCE}
    shop.clock.advance(LEASE - 1)
    assert shop.catalog.renew_holds("a", LEASE, {upload: Held(fence, 0.0)}) == {upload: Wanted.NO}


def test_between_two_renewals_a_holder_can_hear_that_somebody_waits(shop: Shop, upload: str) -> None:
    other = open_upload(shop.catalog, shop.clock.now())
    fence = take(shop, upload, "a")
    take(shop, other, "b")
    assert shop.catalog.wanted_holds("a") == {}
    take(shop, upload, "c", Wanted.IF_SILENT)
    take(shop, other, "c", Wanted.AT_ONCE)
    # It is heard as often as it is asked for, until the next renewal
    assert [shop.catalog.wanted_holds("a") for _ in range(2)] == [{upload: Wanted.IF_SILENT}] * 2
    shop.catalog.renew_holds("a", LEASE, {upload: Held(fence, 0.0)})
    assert shop.catalog.wanted_holds("a") == {}


def test_those_who_wait_hear_how_long_the_holder_has_been_silent(shop: Shop, upload: str) -> None:
    assert shop.catalog.ask_for_hold(upload, Wanted.IF_SILENT) is None
    fence = take(shop, upload, "a")
    shop.clock.advance(1)
    shop.catalog.renew_holds("a", LEASE, {upload: Held(fence, 0.5)})
    shop.clock.advance(2)
    assert shop.catalog.ask_for_hold(upload, Wanted.IF_SILENT) == pytest.approx(2.5)
    assert shop.catalog.take_hold(upload, "b", LEASE, Wanted.IF_SILENT).silence == pytest.approx(2.5)
    assert shop.catalog.renew_holds("a", LEASE, {upload: Held(fence, 0.5)}) == {upload: Wanted.IF_SILENT}


def test_the_row_goes_with_the_upload(shop: Shop, upload: str) -> None:
    fence = take(shop, upload, "a")
    shop.catalog.terminate_upload(upload)
    shop.catalog.release_hold(upload, "a", fence)
    with shop.database.read() as tx:
        assert tx.all("SELECT * FROM upload_holds") == []


def test_taking_and_releasing_at_once_always_ends_with_an_answer(shop: Shop) -> None:
    # Given uploads that have ended, whose rows come and go
    uploads = [open_upload(shop.catalog, shop.clock.now()) for _ in range(3)]
    for upload in uploads:
        shop.catalog.terminate_upload(upload)

    def work(owner: str) -> int:
        taken = 0
        for upload in uploads * 20:
            if fence := take(shop, upload, owner):
                shop.catalog.release_hold(upload, owner, fence)
                taken += 1
        return taken

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(work, "abcd")) > 0
    assert all(shop.catalog.ask_for_hold(upload, Wanted.NO) is None for upload in uploads)


# -- two processes ----------------------------------------------------------------------------------------------------

PACE = Pace(stalled=0.3, hand_off=3.0, lease=1.0, renew=0.1)


class Process:
    """One of several that share a catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self.holds = FleetHolds(catalog, PACE)
        self.appends = 0
        """Requests that may write now."""

    async def append(self, upload: str, started: asyncio.Event, *, busy: bool = True) -> str:
        """A request that receives until it is interrupted; `busy`: its client keeps sending."""
        async with self.holds.claim(upload) as hold:
            self.appends += 1
            started.set()
            try:
                async with hold.receiving():
                    while True:
                        await asyncio.sleep(0.05)
                        if busy:
                            hold.heard = time.monotonic()
            except TimeoutError:
                return await _last_words(hold)
            finally:
                self.appends -= 1


async def _last_words(hold: Hold) -> str:
    try:
        await hold.confirm()
    except Locked:
        return "lost"
    return "gave way"


@pytest.fixture
def catalog(database: Database) -> Catalog:
    return Catalog(Store(database))


@pytest.fixture
async def holder(catalog: Catalog) -> AsyncIterator[tuple[str, asyncio.Task[str], Process]]:
    """An upload, and a request of a silent client that holds it in one process."""
    upload, process, started = open_upload(catalog, 1_750_000_000.0), Process(catalog), asyncio.Event()
    task = asyncio.create_task(process.append(upload, started, busy=False))
    await asyncio.wait_for(started.wait(), 10)
    yield upload, task, process
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def fence_of(process: Process) -> int:
    ((_, lease),) = process.holds._leases.items()
    return lease.hold.fence


async def test_a_silent_holder_gives_way_to_another_process(catalog: Catalog, holder) -> None:
    upload, task, process = holder
    before = fence_of(process)
    await asyncio.sleep(PACE.stalled)
    async with Process(catalog).holds.claim(upload) as hold:
        assert hold.fence == before + 1
        assert process.appends == 0
        assert await asyncio.wait_for(task, 10) == "gave way"


async def test_a_holder_that_receives_keeps_the_upload(catalog: Catalog) -> None:
    upload, process, started = open_upload(catalog, 1_750_000_000.0), Process(catalog), asyncio.Event()
    task = asyncio.create_task(process.append(upload, started))
    await started.wait()
    other = Process(catalog).holds
    for _ in range(2):
        with pytest.raises(Locked):
            async with other.claim(upload):
                pass
        assert not await asyncio.wait_for(other.settle(upload), 10)
    assert not task.done()
    # But an end that is asked for comes all the same
    async with other.claim(upload, force=True):
        assert await task == "gave way"


async def test_settle_waits_for_a_silent_holder_of_another_process(catalog: Catalog, holder) -> None:
    upload, task, _ = holder
    assert await asyncio.wait_for(Process(catalog).holds.settle(upload), 10)
    assert await task == "gave way"


async def test_settle_does_not_wait_for_the_lease_of_a_dead_process(catalog: Catalog) -> None:
    upload = open_upload(catalog, 1_750_000_000.0)
    catalog.take_hold(upload, "dead", 60.0, Wanted.NO)
    assert not await asyncio.wait_for(Process(catalog).holds.settle(upload), 3)


async def test_settle_is_at_once_where_nobody_appends(catalog: Catalog) -> None:
    assert await asyncio.wait_for(Process(catalog).holds.settle(open_upload(catalog, 1_750_000_000.0)), 1)


async def test_the_lease_outlives_its_seconds_while_it_is_renewed(catalog: Catalog, holder) -> None:
    upload, _, process = holder
    await asyncio.sleep(1.5 * PACE.lease)
    ((_, lease),) = process.holds._leases.items()
    assert await lease.hold.is_mine()
    assert catalog.ask_for_hold(upload, Wanted.NO) is not None


async def test_a_dead_process_loses_its_lease_and_may_not_acknowledge(catalog: Catalog, holder) -> None:
    upload, task, process = holder
    # Given a process that is stopped for longer than its lease
    before = fence_of(process)
    process.holds._renewing.cancel()
    await asyncio.sleep(PACE.stalled)
    async with Process(catalog).holds.claim(upload) as hold:
        assert hold.fence == before + 1
        assert not task.done()
        # When it goes on
        process.holds._keep_renewing()
        # Then it hears that the upload is another's
        assert await asyncio.wait_for(task, 10) == "lost"
        await hold.confirm()


async def test_a_catalog_that_is_away_for_too_long_ends_the_holder(catalog: Catalog, holder) -> None:
    _, task, process = holder

    def away(*rest: object) -> None:
        raise DatabaseUnavailable("as the test wants it")

    process.holds._catalog = type("Away", (), {"renew_holds": away, "release_hold": away, "has_hold": away})()
    before = asyncio.get_running_loop().time()
    assert await asyncio.wait_for(task, 10) == "gave way"  # what it may tell is the catalog's to say
    assert asyncio.get_running_loop().time() - before >= PACE.lease - PACE.renew


async def test_of_many_that_want_it_at_once_one_has_it(catalog: Catalog) -> None:
    upload, fences = open_upload(catalog, 1_750_000_000.0), []

    async def want() -> None:
        try:
            async with Process(catalog).holds.claim(upload) as hold:
                fences.append(hold.fence)
                await asyncio.sleep(0.02)
                await hold.confirm()
        except Locked:
            pass

    await asyncio.gather(*[want() for _ in range(8)])
    assert fences == sorted(set(fences))
    assert fences
