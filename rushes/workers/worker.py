"""A worker: claims the best ready step of its pools, has a child do it, renews the lease, reports how it ended.

It runs in one long-lived event loop in the main thread: children die with the thread that started them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any

from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.workforce import Presence
from rushes.engine.footprint import scratch_of
from rushes.engine.job import ToolSettings
from rushes.engine.version import GRAPH
from rushes.errors import StepFailure
from rushes.ffmpeg.sandbox import detect
from rushes.states import Pool
from rushes.workers.attempting import Attempts
from rushes.workers.beats import Beats, Lost
from rushes.workers.dispatch import Dispatcher, Hands
from rushes.workers.plant import Plant
from rushes.workers.reach import Reach
from rushes.workers.room import Room
from rushes.workers.scratch import Own
from rushes.workers.slots import heavy_slots, shares
from rushes.workers.standing import DRAINING, Standing
from rushes.workers.sweeping import Sweeping
from rushes.workers.upkeep import Upkeep

__all__ = ["Plant", "Worker"]

LOOK_EVERY = 2.0
"""Seconds between looks without a ring."""
LAST_WORDS = 3.0
"""Seconds that a worker which leaves gives the catalog to hear of it, and of the steps that it hands back. What it does not
hear then it finds out by itself: their leases end."""
log = logging.getLogger("rushes.worker")


def _sandbox(tools: ToolSettings) -> str:
    """The mode in force; `missing` where one is required and none works, in which case every step fails with that reason."""
    try:
        return detect(tools.sandbox).value
    except StepFailure:
        return "missing"


class Worker:
    """Serves `pools` with `slots` heavy steps at a time beside light ones and pulls."""

    def __init__(self, plant: Plant, pools: Sequence[Pool], slots: int) -> None:
        self._plant = plant
        self._pools = tuple(pools)
        self._shares = shares(pools, slots, plant.pull_slots, plant.own_slots)
        self._own = Own(plant.scratch, plant.name)
        self._standing = Standing(plant.name)
        self._reach = Reach(plant.storage)
        need = partial(scratch_of, remote=plant.storage.startswith("s3:"))
        self._room = Room(self._own.path, plant.room, need)
        self._beats = Beats(plant.pipeline, plant.heartbeat, plant.clock, lambda: self._standing.asked("drain"))
        self._attempts = Attempts(plant, slots, self._reach, self._beats, self._room)
        self._dispatchers = [
            Dispatcher(plant, share, self._reach, self._room, self._standing) for share in self._shares
        ]
        self._upkeep = Upkeep(plant, self._standing, self._presence, self._attempts.measure_anew)
        self._sweeping = Sweeping(plant)
        self._sandbox = ""
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()

    async def run(self) -> None:
        """Work until `stop`; then finish or give back what is running, and leave."""
        with self._own.held():
            await self._run()

    async def _run(self) -> None:
        self._attempts.warm()
        hands = Hands(self._attempts.attempt, self._attempts.give_back)
        dispatching = [asyncio.create_task(one.run(hands)) for one in self._dispatchers]
        loops = (
            self._stopping.wait,
            self._listen,
            self._keep_up,
            self._keep_scratch,
            self._reach.watch,
            self._beats.run,
            self._obey,
            self._sweeping.run,
        )
        background = [asyncio.create_task(loop()) for loop in loops]
        try:
            ended, _ = await asyncio.wait((*background, *dispatching), return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                if broke := task.exception():
                    log.error("the worker ends: a loop of it broke", exc_info=broke, extra={"worker": self._plant.name})
                task.result()
        finally:
            await self._wind_up(background, dispatching)

    async def _keep_scratch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            with contextlib.suppress(OSError):  # the next time
                await asyncio.to_thread(self._own.renew)

    async def _keep_up(self) -> None:
        self._sandbox = await asyncio.to_thread(_sandbox, self._plant.tools)
        await self._upkeep.run()

    async def _wind_up(
        self, background: Sequence[asyncio.Task[Any]], dispatching: Sequence[asyncio.Task[None]]
    ) -> None:
        """Dispatchers end by themselves, for a claim that is under way must find its attempt; attempts end or give back. Until
        then the worker goes on to say that it is there.

        No catalog that does not answer makes this last longer: a spot instance has 30 s.
        """
        if not self._stopping.is_set():  # a loop broke
            self.hurry()
        ends = self._plant.clock.monotonic() + self._plant.drain
        await asyncio.wait(dispatching, timeout=max(self._plant.drain, LAST_WORDS))
        await self._drained(ends - self._plant.clock.monotonic())
        self._beats.stop_all(Lost.RELEASED)
        self._attempts.leave()
        _, unheard = await asyncio.wait(tasks, timeout=LAST_WORDS) if (tasks := self._tasks) else ((), ())
        await _ended([*background, *dispatching, *self._tasks])
        await self._attempts.close()
        if not unheard:  # else it would not hear this either
            await self._leave()

    async def _leave(self) -> None:
        with contextlib.suppress(DatabaseUnavailable, TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                await asyncio.to_thread(self._plant.pipeline.leave, self._plant.name)

    async def _drained(self, seconds: float) -> None:
        """Wait for the running steps, as long as a drain may take."""
        hurry = asyncio.create_task(self._hurry.wait())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                while self._tasks and not hurry.done():
                    await asyncio.wait((*self._tasks, hurry), return_when=asyncio.FIRST_COMPLETED)
        await _ended([hurry])

    async def _obey(self) -> None:
        """An operator's drain: what runs may end in time or is handed back, and the worker stays, idle. One that ended would be
        started again by whoever minds it, and take work."""
        while True:
            await self._standing.leaves.wait()
            await self._drained(self._plant.drain)
            if self._standing.state == DRAINING:
                self._beats.stop_all(Lost.RELEASED)
            await self._standing.stays.wait()

    def stop(self) -> None:
        """Drain: claim nothing more; what is running may end within `drain` seconds. Asked again: give it back at once."""
        if self._stopping.is_set():
            self._hurry.set()
        self._stop()

    def hurry(self) -> None:
        """Stop, and give back at once what is running."""
        self._hurry.set()
        self._stop()

    def _stop(self) -> None:
        self._stopping.set()
        for dispatcher in self._dispatchers:
            dispatcher.stop()

    @property
    def _tasks(self) -> list[asyncio.Task[None]]:
        return [task for dispatcher in self._dispatchers for task in dispatcher.tasks]

    @property
    def busy(self) -> int:
        return len(self._tasks)

    async def _listen(self) -> None:
        while True:
            await self._plant.listener.wait(LOOK_EVERY)
            for dispatcher in self._dispatchers:
                dispatcher.wake()

    def _presence(self) -> Presence:
        """What it says of itself."""
        machine, standing = self._plant.machine, self._standing
        state = DRAINING if self._stopping.is_set() else standing.state
        return Presence(
            pools=self._pools, slots=heavy_slots(self._shares), own=self._plant.own_slots, sandbox=self._sandbox,
            host=machine.host, release=version("rushes"), graph=GRAPH, cores=machine.cores, memory=machine.memory, gpu=machine.gpu,
            state=state, reason="" if self._stopping.is_set() else standing.reason, speed=self._attempts.speed.value,
            scratch_free=self._room.free, skew=standing.skew,
        )  # fmt: skip


async def _ended(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they are over."""
    waited = list(tasks)
    for task in waited:
        task.cancel()
    await asyncio.gather(*waited, return_exceptions=True)
