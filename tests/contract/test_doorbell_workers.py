"""Workers of several hosts at one Redis, who look for work only when it rings: no ring is of use to nobody.

Everything is real but the catalog, which is a list, and the steps, which end when they are told to.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.records import Claim
from rushes.catalog.workforce import Heard
from rushes.clock import SystemClock
from rushes.engine.job import Job, ToolSettings
from rushes.facts import SourceRef
from rushes.settings import Settings, load_policy, load_profile
from rushes.states import Pool, StepKind
from rushes.workers import worker as module
from rushes.workers.attempting import Attempts
from rushes.workers.children import Children
from rushes.workers.doorbell import open_doorbell, open_listener
from rushes.workers.worker import Plant, Worker

if TYPE_CHECKING:
    from tests.services.redis import RedisServer

PATIENCE = 30.0
"""Seconds in which a ring is heard if it is at all; a worker that looks without one does so every ten minutes here."""
WORKERS, SLOTS = 3, 2
CLOCK = SystemClock()


class Catalog:
    """Steps of the pool `video` that are ready, and who took them."""

    lease = 15.0

    def __init__(self) -> None:
        self.ready: list[str] = []
        self.running: dict[str, str] = {}
        self.ended: dict[str, asyncio.Event] = {}
        self.unreachable_for: set[str] = set()

    def add(self, name: str) -> None:
        self.ended[name] = asyncio.Event()
        self.ready.append(name)

    def end(self, name: str) -> None:
        self.ended[name].set()

    def claim(self, pools: list[Pool], worker: str, **_: object) -> Claim | None:
        if worker in self.unreachable_for:
            raise DatabaseUnavailable("the network is cut")
        if Pool.VIDEO not in pools or not self.ready:
            return None
        name = self.ready.pop(0)
        self.running[name] = worker
        return Claim(job=job(name), lease_expires=1.0)

    def of(self, worker: str) -> list[str]:
        return [name for name, who in self.running.items() if who == worker]

    async def until_claimed(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while self.ready:
                await asyncio.sleep(0.001)

    def report(self, *_: object) -> Heard:
        return Heard(now=CLOCK.now())

    def __getattr__(self, name: str) -> Any:
        """All else that a worker tells a catalog."""
        return lambda *_, **__: 0


def job(name: str) -> Job:
    return Job(
        step_id=name, key=name, kind=StepKind.ENCODE, asset="a", tenant="t", fence=1, recipe="r",
        source=SourceRef(key="k", size=1), profile=load_profile("fast"), policy=load_policy("development"),
    )  # fmt: skip


class Fleet:
    def __init__(self, settings: Settings) -> None:
        self.catalog = Catalog()
        self.bell = open_doorbell(settings)
        self.listeners = [open_listener(settings, tuple(Pool)) for _ in range(WORKERS)]
        self.names = [f"w{number}" for number in range(WORKERS)]
        self.workers = [
            Worker(self._plant(name, listener, settings), tuple(Pool), SLOTS)
            for name, listener in zip(self.names, self.listeners, strict=True)
        ]
        self.tasks = [asyncio.create_task(worker.run()) for worker in self.workers]

    def _plant(self, name: str, listener: Any, settings: Settings) -> Plant:
        pipeline: Any = self.catalog
        return Plant(name, pipeline, listener, settings.scratch, settings.storage, ToolSettings())

    async def close(self) -> None:
        for worker in self.workers:
            worker.stop()
        await asyncio.gather(*self.tasks)
        for listener in self.listeners:
            listener.close()
        self.bell.close()


@pytest.fixture
async def fleet(redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Fleet]:
    monkeypatch.setattr(Children, "warm", lambda _: None)
    monkeypatch.setattr(module, "LOOK_EVERY", 600.0)

    async def attempt(_: Attempts, job: Job, wish: object) -> None:
        await made.catalog.ended[job.step_id].wait()
        del made.catalog.running[job.step_id]

    monkeypatch.setattr(Attempts, "attempt", attempt)
    made = Fleet(Settings(data=tmp_path, broker_url=redis_server.url(secrets.token_hex(4))))
    yield made
    await made.close()


async def fill(fleet: Fleet, count: int) -> None:
    """One ring for many steps: each who finds one wakes the next."""
    for number in range(count):
        fleet.catalog.add(f"first-{number}")
    fleet.bell.ring([Pool.VIDEO])
    await fleet.catalog.until_claimed()


async def test_one_ring_sets_all_to_work(fleet: Fleet) -> None:
    await fill(fleet, WORKERS * SLOTS)
    assert [len(fleet.catalog.of(name)) for name in fleet.names] == [SLOTS] * WORKERS


async def test_the_only_free_slot_hears_every_ring(fleet: Fleet) -> None:
    await fill(fleet, WORKERS * SLOTS)
    for turn in range(150):
        freed = fleet.names[turn % WORKERS]
        fleet.catalog.end(fleet.catalog.of(freed)[0])
        await asyncio.sleep(0.001 * (turn % 7))  # before, while and after it looks
        fleet.catalog.add(f"next-{turn}")
        fleet.bell.ring([Pool.VIDEO])
        await fleet.catalog.until_claimed()
        assert len(fleet.catalog.running) == WORKERS * SLOTS


async def test_who_drains_or_cannot_reach_the_catalog_leaves_the_rings_to_others(fleet: Fleet) -> None:
    fleet.workers[0].stop()
    fleet.catalog.unreachable_for.add(fleet.names[1])
    for turn in range(50):
        fleet.catalog.add(f"step-{turn}")
        fleet.bell.ring([Pool.VIDEO])
        await fleet.catalog.until_claimed()
        fleet.catalog.end(f"step-{turn}")
        while fleet.catalog.running:
            await asyncio.sleep(0.001)
