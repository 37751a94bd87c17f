"""Fills the slots of some pools: looks for work when the bell rings, when a step ends, or when it is time to look again."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable

from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.records import Claim
from rushes.engine.job import Job
from rushes.workers.plant import Plant
from rushes.workers.reach import Reach
from rushes.workers.room import Room
from rushes.workers.slots import Share
from rushes.workers.standing import Standing

log = logging.getLogger("rushes.worker")


class Dispatcher:
    """`attempt` does a step that was claimed, `give_back` hands one back that does not fit here."""

    def __init__(self, plant: Plant, share: Share, reach: Reach, room: Room, standing: Standing) -> None:
        self._plant = plant
        self._share = share
        self._reach = reach
        self._room = room
        self._standing = standing
        self._running: dict[asyncio.Task[None], str] = {}
        self._short = 0
        self._wake = asyncio.Event()
        self._stopping = False

    @property
    def tasks(self) -> set[asyncio.Task[None]]:
        return set(self._running)

    def wake(self) -> None:
        self._wake.set()

    def stop(self) -> None:
        """Claim nothing more."""
        self._stopping = True
        self.wake()

    async def run(self, attempt: Callable[[Job], Awaitable[None]], give_back: Callable[[Job], Awaitable[None]]) -> None:
        """Until `stop`. A claim that is under way then still finds its attempt."""
        while not self._stopping:
            self._wake.clear()
            claim = await self._next()
            if claim is None:
                await self._wake.wait()
            elif not (self._standing.takes_work and self._room.is_open):
                await give_back(
                    claim.job
                )  # it was told to stand aside, or something to be alone, while it was claiming
            elif self._room.has(self._room.need(claim.job)):
                self._begin(claim.job, attempt)
                await asyncio.sleep(0)  # it takes its room before the next look
            else:
                await self._too_large(claim.job, give_back)
        self._plant.listener.busy(self._share.pools)

    def _begin(self, job: Job, attempt: Callable[[Job], Awaitable[None]]) -> None:
        async def work() -> None:
            await attempt(job)

        task = asyncio.create_task(work())
        self._running[task] = job.tenant
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self.wake()

    async def _too_large(self, job: Job, give_back: Callable[[Job], Awaitable[None]]) -> None:
        """Nothing more is claimed here until it would fit: it would be the same step again."""
        self._short = self._room.need(job)
        text = "%d bytes of scratch are not free beside what runs: the step is given back"
        log.info(text, self._short, extra={"asset": job.asset, "step": job.key, "worker": self._plant.name})
        await give_back(job)

    def _may_claim(self) -> bool:
        if self._short and self._room.has(self._short):
            self._short = 0
        there = self._reach.there and self._room.is_open and not self._short
        return there and self._standing.takes_work and len(self._running) < self._share.slots

    async def _next(self) -> Claim | None:
        """A look for work. What becomes of the rings that led to it, `Listener` says."""
        listener, pools = self._plant.listener, self._share.pools
        if not self._may_claim():
            listener.busy(pools)
            return None
        heard = listener.free(pools)
        try:
            claim = await asyncio.to_thread(self._claim)
        except DatabaseUnavailable as error:
            log.warning("nothing can be claimed now: %s", error)
            listener.busy(pools)  # until the next look: others may reach the database
            listener.hand_on(heard)
            return None
        if claim is not None:
            listener.hand_on(heard)
        return claim

    def _claim(self) -> Claim | None:
        pipeline, share = self._plant.pipeline, self._share
        if share.slots - len(self._running) > share.express:
            return pipeline.claim(share.pools, self._plant.name)
        served = Counter(self._running.values())
        many = frozenset(tenant for tenant, count in served.items() if count >= share.express)
        return pipeline.claim(share.pools, self._plant.name, without=many)
