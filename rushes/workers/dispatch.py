"""Fills the slots of some pools: looks for work when the bell rings, when a step ends, or when it is time to look again.

A step that is done brings the next one of its slot with it, where that is plain (`Claiming.in_passing`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.pipeline import Wish
from rushes.catalog.records import Claim
from rushes.engine.classes import class_of
from rushes.engine.job import Job
from rushes.workers.plant import Plant
from rushes.workers.reach import Reach
from rushes.workers.room import Room
from rushes.workers.slots import Share, Terms, terms
from rushes.workers.standing import Standing

log = logging.getLogger("rushes.worker")


@dataclass(frozen=True)
class Hands:
    """Who does what was claimed."""

    attempt: Callable[[Job, Callable[[], Wish | None]], Awaitable[Claim | None]]
    """Does a step. Asks at its end, from any thread, what is wished next, and may give the claim to that."""
    give_back: Callable[[Job], Awaitable[None]]
    """Hands back a step that does not fit here."""


class Dispatcher:
    def __init__(self, plant: Plant, share: Share, reach: Reach, room: Room, standing: Standing) -> None:
        self._plant = plant
        self._share = share
        self._reach = reach
        self._room = room
        self._standing = standing
        self._running: dict[asyncio.Task[None], Job] = {}
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

    async def run(self, hands: Hands) -> None:
        """Until `stop`. A claim that is under way then still finds its attempt."""
        while not self._stopping:
            self._wake.clear()
            claim = await self._next()
            if claim is None:
                await self._wake.wait()
            elif await self._fits(claim.job, hands):
                self._begin(claim.job, hands)
                await asyncio.sleep(0)  # it takes its room before the next look
        self._plant.listener.busy(self._share.pools)

    async def _fits(self, job: Job, hands: Hands) -> bool:
        """Else it has been handed back: the worker was told to stand aside, or a step to be alone, while it was claimed; or it
        is too large."""
        if not (self._standing.takes_work and self._room.is_open):
            await hands.give_back(job)
            return False
        if self._room.has(self._room.need(job)):
            return True
        await self._too_large(job, hands)
        return False

    def _begin(self, job: Job, hands: Hands) -> None:
        async def work() -> None:
            await self._fill(task, job, hands)

        task = asyncio.create_task(work())
        self._running[task] = job
        task.add_done_callback(self._ended)

    async def _fill(self, slot: asyncio.Task[None], job: Job, hands: Hands) -> None:
        """From a claim until the end of a step brings no other one."""
        wish = partial(self._wish, slot)
        while claim := await hands.attempt(job, wish):
            job = claim.job
            if self._stopping:
                await hands.give_back(job)
                return
            if not await self._fits(job, hands):
                return
            self._running[slot] = job
            if len(self._running) < self._share.slots:
                self.wake()  # for those that are free: there may be more, and what the last step took of scratch is free too

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self.wake()

    async def _too_large(self, job: Job, hands: Hands) -> None:
        """Nothing more is claimed here until it would fit: it would be the same step again."""
        self._short = self._room.need(job)
        text = "%d bytes of scratch are not free beside what runs: the step is given back"
        log.info(text, self._short, extra={"asset": job.asset, "step": job.key, "worker": self._plant.name})
        await hands.give_back(job)

    def _may_claim(self) -> bool:
        return self._is_able() and len(self._running) < self._share.slots

    def _is_able(self) -> bool:
        if self._short and self._room.has(self._short):
            self._short = 0
        return self._reach.there and self._room.is_open and not self._short and self._standing.takes_work

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
        open_to = self._terms(None)
        return self._plant.pipeline.claim(
            self._share.pools, self._plant.name, without=open_to.without, least=open_to.least
        )

    def _wish(self, slot: asyncio.Task[None]) -> Wish | None:
        """What a slot would do next whose step is just ending. From any thread. It never fails: the end of that step would."""
        try:
            if self._stopping or not self._is_able():
                return None
        except OSError:  # the scratch disk does not answer: the look that follows says so
            return None
        open_to = self._terms(slot)
        return Wish(self._share.pools, self._plant.name, open_to.without, open_to.least)

    def _terms(self, ending: asyncio.Task[None] | None) -> Terms:
        """`ending`: this slot is falling free."""
        others = [job for slot, job in self._running.copy().items() if slot is not ending]
        return terms(self._share, [(job.tenant, class_of(job.priority)) for job in others])
