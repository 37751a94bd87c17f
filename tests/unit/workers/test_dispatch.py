"""Slots, room and who gets them; the catalog is a list."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from rushes.catalog.records import Claim
from rushes.engine.footprint import SMALL, scratch_of
from rushes.engine.job import Job, Needs, ToolSettings
from rushes.facts import SourceRef
from rushes.settings import load_policy, load_profile
from rushes.states import Pool, StepKind
from rushes.workers.dispatch import Dispatcher
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
    """Ready steps in their order, those that were handed back at the end; steps end when they are told to."""

    def __init__(self, tmp_path: Path, share: Share, *jobs: Job, reserve: int = 0) -> None:
        self.ready, self.running, self.back = list(jobs), dict[str, asyncio.Event](), list[str]()
        plant = Plant("w", self, MemoryDoorbell(), tmp_path, f"file://{tmp_path}", ToolSettings())  # type: ignore[arg-type] # it answers the same calls
        self.room = Room(tmp_path, reserve, lambda job: scratch_of(job, remote=True))
        self.standing = Standing("w")
        self.dispatcher = Dispatcher(plant, share, Reach(plant.storage), self.room, self.standing)

    def claim(self, pools: object, worker: str, *, without: Iterable[str] = ()) -> Claim | None:
        found = next((job for job in self.ready if job.tenant not in set(without)), None)
        if found is None:
            return None
        self.ready.remove(found)
        return Claim(job=found, lease_expires=1.0)

    async def attempt(self, job: Job) -> None:
        async with self.room.taken(job):
            self.running[job.step_id] = asyncio.Event()
            await self.running[job.step_id].wait()
            del self.running[job.step_id]

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
    task = asyncio.create_task(shop.dispatcher.run(shop.attempt, shop.give_back))
    try:
        await story()
    finally:
        shop.dispatcher.stop()
        for event in shop.running.values():
            event.set()
        await task


LIGHT = Share((Pool.IO,), 5, 2)


async def test_the_last_slots_are_for_who_has_next_to_nothing_running(tmp_path: Path) -> None:
    shop = Shop(tmp_path, LIGHT, *(a_job(f"flood-{number}", "flood") for number in range(9)))

    async def story() -> None:
        await shop.until("flood-0", "flood-1", "flood-2")
        shop.ready += [a_job(f"other-{number}", "other") for number in range(3)]
        shop.dispatcher.wake()
        await shop.until("flood-0", "flood-1", "flood-2", "other-0", "other-1")
        shop.end("flood-0")  # a slot that anybody may have is not free yet
        await shop.until("flood-1", "flood-2", "other-0", "other-1")
        shop.end("other-0")  # its tenant has one running, so it may have another; the flood has two
        await shop.until("flood-1", "flood-2", "other-1", "other-2")

    await working(shop, story)


async def test_what_does_not_fit_beside_the_others_is_handed_back_once(tmp_path: Path) -> None:
    whole = Room(tmp_path, 0, lambda _: 0).free
    large = {"source": SourceRef(key="k", size=int(0.6 * whole))}
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


def test_scratch_is_reckoned_by_what_is_fetched_and_made() -> None:
    source = SourceRef(key="k", size=1000)
    ladder = {"grid": {"fps": "25/1"}, "rungs": [{"max_bitrate": 8000}, {"max_bitrate": 4000}]}
    encode = a_job("e", kind=StepKind.ENCODE, source=source, params={"chunk": {"frames": 50}, "ladder": ladder})
    assert scratch_of(encode, remote=False) == SMALL + 2 * 12_000 // 8
    assert scratch_of(encode, remote=True) == SMALL + 1000 + 2 * 12_000 // 8
    assert scratch_of(a_job("r", kind=StepKind.REMUX, source=source), remote=True) == SMALL + 2000
    assert scratch_of(a_job("p", kind=StepKind.PUBLISH, source=source), remote=True) == SMALL
    assert scratch_of(a_job("p", needs=Needs(scratch=10**9)), remote=False) == 10**9
