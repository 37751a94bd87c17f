"""Slots, room and who gets them; the catalog is a list."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from rushes.catalog.pipeline import Wish
from rushes.catalog.records import Claim
from rushes.engine.classes import Class, class_of
from rushes.engine.footprint import SMALL, scratch_of
from rushes.engine.job import Job, Needs, ToolSettings
from rushes.engine.specs import FAST
from rushes.facts import SourceRef
from rushes.settings import load_policy, load_profile
from rushes.states import Pool, StepKind
from rushes.workers.dispatch import Dispatcher, Hands
from rushes.workers.doorbell import MemoryDoorbell
from rushes.workers.plant import Plant
from rushes.workers.reach import Reach
from rushes.workers.room import Room
from rushes.workers.slots import Share
from rushes.workers.standing import Standing


def a_job(name: str, tenant: str = "t", **fields: Any) -> Job:
    known: dict[str, Any] = {"kind": StepKind.PROBE, "source": SourceRef(key="k", size=1), **fields}
    return Job(
        step_id=name, key=name, asset="a", tenant=tenant, fence=1, recipe="r", profile=load_profile("fast"),
        policy=load_policy("development"), **known,
    )  # fmt: skip


class Shop:
    """Ready steps in their order, those that were handed back at the end; steps end when they are told to. Where `passing`, the end
    of one may bring the next."""

    def __init__(self, tmp_path: Path, share: Share, *jobs: Job, reserve: int = 0) -> None:
        self.ready, self.running, self.back = list(jobs), dict[str, asyncio.Event](), list[str]()
        self.passing = False
        self.wishes: list[Wish | None] = []
        self.looks = 0
        plant = Plant("w", self, MemoryDoorbell(), tmp_path, f"file://{tmp_path}", ToolSettings())  # type: ignore[arg-type] # it answers the same calls
        self.room = Room(tmp_path, reserve, lambda job: scratch_of(job, remote=True))
        self.standing = Standing("w")
        self.dispatcher = Dispatcher(plant, share, Reach(plant.storage), self.room, self.standing)

    def claim(self, pools: object, worker: str, *, without: Iterable[str] = (), least: int = 0) -> Claim | None:
        self.looks += 1
        return self.taken(without, least)

    def taken(self, without: Iterable[str], least: int) -> Claim | None:
        free = (job for job in self.ready if job.tenant not in set(without) and class_of(job.priority) >= least)
        found = next(free, None)
        if found is None:
            return None
        self.ready.remove(found)
        return Claim(job=found, lease_expires=1.0)

    async def attempt(self, job: Job, wish: Callable[[], Wish | None]) -> Claim | None:
        async with self.room.taken(job):
            self.running[job.step_id] = asyncio.Event()
            await self.running[job.step_id].wait()
            del self.running[job.step_id]
        return await asyncio.to_thread(self.done, wish) if self.passing else None

    def done(self, wish: Callable[[], Wish | None]) -> Claim | None:
        self.wishes.append(found := wish())
        return self.taken(found.without, found.least) if found else None

    async def give_back(self, job: Job) -> None:
        self.back.append(job.step_id)
        self.ready.append(job)

    async def until(self, *names: str) -> None:
        async with asyncio.timeout(5):
            while set(self.running) != set(names):
                await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)  # nothing more is begun
        assert set(self.running) == set(names)

    def end(self, name: str) -> None:
        self.running[name].set()


async def working(shop: Shop, story: Callable[[], Any]) -> None:
    task = asyncio.create_task(shop.dispatcher.run(Hands(shop.attempt, shop.give_back)))
    try:
        await story()
    finally:
        shop.dispatcher.stop()
        for event in shop.running.values():
            event.set()
        await task


LIGHT = Share((Pool.IO,), 5, 2)


async def test_the_last_slots_are_for_who_has_next_to_nothing_running(tmp_path: Path) -> None:
    shop = Shop(tmp_path, LIGHT, *(a_job(f"flood-{number}", "flood", priority=FAST) for number in range(9)))

    async def story() -> None:
        await shop.until("flood-0", "flood-1", "flood-2")
        shop.ready += [a_job("checksum", "other")]  # nobody waits for that: it takes no such slot
        shop.ready += [a_job(f"other-{number}", "other", priority=FAST) for number in range(3)]
        shop.dispatcher.wake()
        await shop.until("flood-0", "flood-1", "flood-2", "other-0", "other-1")
        shop.end("flood-0")  # a slot that anybody may have is not free yet
        await shop.until("flood-1", "flood-2", "other-0", "other-1")
        shop.end("other-0")  # its tenant has one running, so it may have another; the flood has two
        await shop.until("flood-1", "flood-2", "other-1", "other-2")

    await working(shop, story)


async def test_what_does_not_fit_beside_the_others_is_handed_back_once(tmp_path: Path) -> None:
    whole = Room(tmp_path, 0, lambda _: 0).free
    large: dict[str, Any] = {"source": SourceRef(key="k", size=int(0.6 * whole))}
    shop = Shop(tmp_path, Share((Pool.IO,), 3), a_job("first", **large), a_job("second", **large))

    async def story() -> None:
        await shop.until("first")
        for _ in range(5):
            shop.dispatcher.wake()
            await shop.until("first")
        assert shop.back == ["second"]
        shop.end("first")
        await shop.until("second")

    await working(shop, story)


async def test_a_step_that_never_fits_is_done_where_nothing_else_runs(tmp_path: Path) -> None:
    shop = Shop(tmp_path, LIGHT, a_job("huge", source=SourceRef(key="k", size=10**18)))
    await working(shop, lambda: shop.until("huge"))
    assert shop.back == []


async def test_a_step_that_has_to_be_alone_waits_for_the_others_and_they_for_it(tmp_path: Path) -> None:
    jobs = (a_job("first"), a_job("poison", needs=Needs(alone=True)), a_job("third"))
    shop = Shop(tmp_path, LIGHT, *jobs)

    async def story() -> None:
        await shop.until("first")
        shop.end("first")
        await shop.until("poison")
        shop.end("poison")
        await shop.until("third")

    await working(shop, story)


async def test_a_worker_that_stands_aside_claims_nothing(tmp_path: Path) -> None:
    shop = Shop(tmp_path, LIGHT, a_job("first"))
    shop.standing.asked("cordon")

    async def story() -> None:
        await shop.until()
        shop.standing.asked("work")
        shop.dispatcher.wake()
        await shop.until("first")

    await working(shop, story)


@pytest.mark.parametrize("why", ["drain", "cordon"])
async def test_what_was_being_claimed_when_a_worker_was_to_stand_aside_is_handed_back(tmp_path: Path, why: str) -> None:
    """Else a drain would last as long as that step, which began when everything else had been given back."""
    shop = Shop(tmp_path, LIGHT, a_job("late"))
    claim = shop.claim

    def told_meanwhile(*args: Any, **kwargs: Any) -> Claim | None:
        loop.call_soon_threadsafe(shop.standing.asked, why)
        return claim(*args, **kwargs)

    loop = asyncio.get_running_loop()
    shop.claim = told_meanwhile  # type: ignore[method-assign]
    await working(shop, shop.until)
    assert shop.back == ["late"]


async def test_a_step_that_is_done_brings_the_next_one_of_its_slot(tmp_path: Path) -> None:
    shop = Shop(tmp_path, Share((Pool.IO,), 1), *(a_job(f"step-{number}") for number in range(3)))
    shop.passing = True

    async def story() -> None:
        await shop.until("step-0")
        looks = shop.looks
        shop.end("step-0")
        await shop.until("step-1")
        shop.end("step-1")
        await shop.until("step-2")
        assert shop.looks == looks
        assert [len(shop.dispatcher.tasks), *shop.wishes] == [1, *[Wish((Pool.IO,), "w")] * 2]
        shop.end("step-2")  # now nothing comes with it, and it looks for itself
        await shop.until()
        assert shop.looks == looks + 1
        shop.ready.append(a_job("step-3"))
        shop.dispatcher.wake()
        await shop.until("step-3")

    await working(shop, story)


async def test_slots_that_are_free_look_again_when_one_goes_on(tmp_path: Path) -> None:
    """It may have been for want of scratch that they found nothing, or a ring may have been answered with what it took."""
    shop = Shop(tmp_path, Share((Pool.IO,), 2), a_job("first"))
    shop.passing = True

    async def story() -> None:
        await shop.until("first")
        shop.ready += [a_job("second"), a_job("third")]
        shop.end("first")
        await shop.until("second", "third")

    await working(shop, story)


async def test_what_comes_in_passing_leaves_the_last_slots_to_others(tmp_path: Path) -> None:
    shop = Shop(tmp_path, LIGHT, *(a_job(f"flood-{number}", "flood", priority=FAST) for number in range(9)))
    shop.passing = True

    async def story() -> None:
        await shop.until("flood-0", "flood-1", "flood-2")
        shop.ready[:0] = [a_job(f"other-{number}", "other", priority=FAST) for number in range(2)]
        shop.dispatcher.wake()
        await shop.until("flood-0", "flood-1", "flood-2", "other-0", "other-1")
        shop.end("flood-0")  # two slots are for who has fewer than two here, and both have them
        await shop.until("flood-1", "flood-2", "other-0", "other-1")
        assert shop.wishes == [Wish((Pool.IO,), "w", ("flood", "other"), Class.FAST)]
        shop.end("flood-1")
        await shop.until("flood-2", "flood-3", "other-0", "other-1")

    await working(shop, story)


@pytest.mark.parametrize("why", ["drain", "cordon", "stop"])
async def test_who_stands_aside_wishes_for_nothing(tmp_path: Path, why: str) -> None:
    shop = Shop(tmp_path, LIGHT, a_job("first"))
    shop.passing = True

    async def story() -> None:
        await shop.until("first")
        shop.ready.append(a_job("second"))
        stand_aside(shop, why)
        shop.end("first")
        await shop.until()
        assert shop.wishes == [None]

    await working(shop, story)
    assert [job.step_id for job in shop.ready] == ["second"] and shop.back == []


@pytest.mark.parametrize("why", ["drain", "cordon", "stop"])
async def test_what_came_in_passing_when_a_worker_was_to_stand_aside_is_handed_back(tmp_path: Path, why: str) -> None:
    shop = Shop(tmp_path, LIGHT, a_job("first"))
    shop.passing, loop, taken = True, asyncio.get_running_loop(), shop.taken

    def told_meanwhile(without: Iterable[str], least: int) -> Claim | None:
        if shop.wishes:
            loop.call_soon_threadsafe(stand_aside, shop, why)
        return taken(without, least)

    shop.taken = told_meanwhile  # type: ignore[method-assign]

    async def story() -> None:
        await shop.until("first")
        shop.ready.append(a_job("second"))
        shop.end("first")
        await shop.until()

    await working(shop, story)
    assert shop.back == ["second"]


async def test_a_disk_that_cannot_be_asked_does_not_cost_the_result_of_who_is_done(tmp_path: Path) -> None:
    shop = Shop(tmp_path, LIGHT, a_job("first"))
    shop.passing = True

    async def story() -> None:
        await shop.until("first")
        with mock.patch.object(Room, "is_open", mock.PropertyMock(side_effect=OSError(5, "no answer"))):
            wish = await asyncio.to_thread(shop.dispatcher._wish, next(iter(shop.dispatcher.tasks)))
        assert wish is None

    await working(shop, story)


def stand_aside(shop: Shop, why: str) -> None:
    if why == "stop":
        shop.dispatcher.stop()
    else:
        shop.standing.asked(why)


async def test_what_came_in_passing_and_does_not_fit_is_handed_back_once(tmp_path: Path) -> None:
    whole = Room(tmp_path, 0, lambda _: 0).free
    large: dict[str, Any] = {"source": SourceRef(key="k", size=int(0.6 * whole))}
    shop = Shop(tmp_path, Share((Pool.IO,), 2), a_job("first", **large), a_job("small"))
    shop.passing = True

    async def story() -> None:
        await shop.until("first", "small")
        shop.ready.append(a_job("second", **large))
        shop.end("small")
        await shop.until("first")
        assert shop.back == ["second"]
        shop.dispatcher.wake()
        await shop.until("first")
        assert shop.back == ["second"]
        shop.end("first")
        await shop.until("second")

    await working(shop, story)


async def test_what_came_in_passing_and_has_to_be_alone_waits_for_the_others(tmp_path: Path) -> None:
    shop = Shop(tmp_path, LIGHT, a_job("first"), a_job("other"))
    shop.passing = True

    async def story() -> None:
        await shop.until("first", "other")
        shop.ready += [a_job("poison", needs=Needs(alone=True)), a_job("third")]
        shop.end("first")
        await shop.until("other")
        shop.end("other")
        await shop.until("poison")
        shop.end("poison")
        await shop.until("third")

    await working(shop, story)


def test_scratch_is_reckoned_by_what_is_fetched_and_made() -> None:
    source = SourceRef(key="k", size=1000)
    ladder = {"grid": {"fps": "25/1"}, "rungs": [{"max_bitrate": 8000}, {"max_bitrate": 4000}]}
    encode = a_job("e", kind=StepKind.ENCODE, source=source, params={"chunk": {"frames": 50}, "ladder": ladder})
    assert scratch_of(encode, remote=False) == SMALL + 2 * 12_000 // 8
    assert scratch_of(encode, remote=True) == SMALL + 1000 + 2 * 12_000 // 8
    assert scratch_of(a_job("r", kind=StepKind.REMUX, source=source), remote=True) == SMALL + 2000
    assert scratch_of(a_job("p", kind=StepKind.PUBLISH, source=source), remote=True) == SMALL
    assert scratch_of(a_job("p", needs=Needs(scratch=10**9)), remote=False) == 10**9
