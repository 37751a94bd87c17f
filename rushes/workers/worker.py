"""A worker: claims the best ready step of its pools, has a child do it, renews the lease, reports how it ended.

It runs in one long-lived event loop in the main thread: children die with the thread that started them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.pipeline import Pipeline
from rushes.catalog.records import Claim
from rushes.clock import Clock, SystemClock
from rushes.engine.job import Job, ToolSettings
from rushes.engine.kinds import KINDS
from rushes.engine.specs import NORMAL
from rushes.errors import OPERATOR_REASONS, Blame, StepFailure
from rushes.ffmpeg.sandbox import detect
from rushes.media_keys import KeyServer
from rushes.states import Pool, StepKind
from rushes.storage.open import open_store
from rushes.storage.workspace import Workspace
from rushes.workers.attempt import Attempt, Ended, Lost, failed
from rushes.workers.child import perform
from rushes.workers.children import Children, NoChild, passed_on
from rushes.workers.doorbell import Listener
from rushes.workers.media_key import with_key
from rushes.workers.order import Done, Failed, Order
from rushes.workers.reach import Reach
from rushes.workers.scratch import own_scratch

LIGHT = (Pool.IO, Pool.PUBLISH)
"""Pools of short steps; they have slots of their own, so that no encode keeps a fresh upload from being looked at."""
LIGHT_SLOTS = 3
"""The probe, a copy of the source and its checksum run beside each other."""
GIVING_WAY = 10
"""Niceness of steps that nobody waits for this moment: beside a ladder's encodes, a fresh upload took three times as long to
become playable as on an idle machine."""
APART = (*LIGHT, Pool.PULL)
"""Pools that take no slot of the heavy ones: a pull waits for a network, perhaps for hours."""
LOOK_EVERY = 2.0
"""Seconds between looks without a ring."""
RECONCILE_EVERY = 2.5
HOUSEKEEP_ROUNDS = 12
"""Cleanups are planned in every twelfth of those rounds: nobody waits for them, and every worker looks."""
NO_CHILD_PAUSE = 5.0
"""Seconds a slot rests when the machine could not start a child for it."""
log = logging.getLogger("rushes.worker")
T = TypeVar("T")


@dataclass(frozen=True)
class Plant:
    """What a worker works with."""

    name: str
    pipeline: Pipeline
    listener: Listener
    scratch: Path
    storage: str
    tools: ToolSettings
    heartbeat: float = 1.0
    keep_originals: float = -1.0
    """Days; negative: for ever."""
    room: int = 0
    """Bytes that must be free on the scratch disk before a step is claimed."""
    keys: KeyServer | None = None
    """Gives the keys of protected media; None: there are none."""
    drain: float = 0.0
    """Seconds that running steps get to end when the worker is stopped; those that do not are given back."""
    pull_slots: int = 4
    """Pulls at a time, beside everything else."""
    clock: Clock = field(default_factory=SystemClock)


def _sandbox(tools: ToolSettings) -> str:
    """The mode in force; `missing` where one is required and none works, in which case every step fails with that reason."""
    try:
        return detect(tools.sandbox).value
    except StepFailure:
        return "missing"


class Worker:
    """Serves `pools` with `slots` heavy steps at a time beside LIGHT_SLOTS light ones."""

    def __init__(self, plant: Plant, pools: Sequence[Pool], slots: int) -> None:
        self._plant = plant
        self._light = [pool for pool in pools if pool in LIGHT]
        self._pulls: list[Pool] = [pool for pool in pools if pool is Pool.PULL]
        self._heavy = [pool for pool in pools if pool not in APART]
        self._slots = slots
        self._scratch = plant.scratch / plant.name
        environment = passed_on(os.environ, plant.storage)
        patience = 0.8 * plant.pipeline.lease
        self._brisk = Children(LIGHT_SLOTS, environment, patience)
        self._patient = Children(min(slots, 2), environment, patience, GIVING_WAY)
        self._running: set[asyncio.Task[None]] = set()
        self._sleepers: list[asyncio.Event] = []
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._roomy = True
        self._reach = Reach(plant.storage)

    async def run(self) -> None:
        """Work until `stop`; then finish or give back what is running, and leave."""
        with own_scratch(self._plant.scratch, self._plant.name):
            await self._run()

    async def _run(self) -> None:
        for children in (self._brisk, self._patient):
            children.warm()
        pulls = self._plant.pull_slots
        shares = [(self._light, LIGHT_SLOTS), (self._pulls, pulls), (self._heavy, self._slots)]
        dispatchers = [asyncio.create_task(self._dispatch(pools, slots)) for pools, slots in shares if pools]
        loops = (self._stopping.wait, self._listen, self._reconcile, self._reach.watch)
        background = [asyncio.create_task(loop()) for loop in loops]
        try:
            ended, _ = await asyncio.wait((*background, *dispatchers), return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()  # a loop that broke ends the worker, loudly
        finally:
            await self._wind_up(background, dispatchers)

    async def _wind_up(
        self, background: Sequence[asyncio.Task[Any]], dispatchers: Sequence[asyncio.Task[None]]
    ) -> None:
        """Dispatchers end by themselves, for a claim that is under way must find its attempt; attempts end or give back.

        Until then the worker goes on to say that it is there.
        """
        if not self._stopping.is_set():  # a loop broke
            self.hurry()
        await asyncio.gather(*dispatchers, return_exceptions=True)
        await self._drained()
        await _ended(background)
        await _ended(self._running)
        for children in (self._brisk, self._patient):
            await children.close()
        with contextlib.suppress(DatabaseUnavailable):
            await asyncio.to_thread(self._plant.pipeline.leave, self._plant.name)

    async def _drained(self) -> None:
        """Wait for the running steps, as long as a drain may take."""
        hurry = asyncio.create_task(self._hurry.wait())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._plant.drain):
                while self._running and not hurry.done():
                    await asyncio.wait((*self._running, hurry), return_when=asyncio.FIRST_COMPLETED)
        await _ended([hurry])

    def stop(self) -> None:
        """Drain: claim nothing more; what is running may end within `drain` seconds. Asked again: give it back at once."""
        if self._stopping.is_set():
            self._hurry.set()
        self._stopping.set()
        self._wake()

    def hurry(self) -> None:
        """Stop, and give back at once what is running."""
        self._hurry.set()
        self._stopping.set()
        self._wake()

    @property
    def busy(self) -> int:
        return len(self._running)

    async def _listen(self) -> None:
        while True:
            await self._plant.listener.wait(LOOK_EVERY)
            self._wake()

    def _wake(self) -> None:
        for sleeper in self._sleepers:
            sleeper.set()

    async def _reconcile(self) -> None:
        """Say that we are here, and look after those who are not.

        After a time in which nothing could be said by anybody (the machine slept, the disk was full) the others get a
        round to speak before they are taken for dead.
        """
        # A worker that starts after a time without a database must not be the first to judge either.
        pools, last, waited = (
            [*self._light, *self._pulls, *self._heavy],
            self._plant.clock.now() - 3 * RECONCILE_EVERY,
            False,
        )
        mode = await asyncio.to_thread(_sandbox, self._plant.tools)
        for turn in count():
            await _outlast(lambda: self._plant.pipeline.report(self._plant.name, pools, self._slots, mode))
            waited = not waited and self._plant.clock.now() - last > 2 * RECONCILE_EVERY
            last = self._plant.clock.now()
            if not waited:
                await _outlast(self._take_back)
            if not waited and turn % HOUSEKEEP_ROUNDS == 0:
                await _outlast(self._keep_house)
            await asyncio.sleep(RECONCILE_EVERY)

    def _take_back(self) -> None:
        with self._whatever_is_wrong_with_one_row():
            lost = self._plant.pipeline.reconcile()
            if lost:
                log.warning("took back %d steps of silent workers", lost, extra={"worker": self._plant.name})

    def _keep_house(self) -> None:
        with self._whatever_is_wrong_with_one_row():
            self._plant.pipeline.housekeep(self._plant.keep_originals)

    @contextlib.contextmanager
    def _whatever_is_wrong_with_one_row(self) -> Iterator[None]:
        """It must not stop the work on all others."""
        try:
            yield
        except DatabaseUnavailable:
            raise
        except Exception:
            log.exception("the house could not be kept", extra={"worker": self._plant.name})

    async def _dispatch(self, pools: Sequence[Pool], slots: int) -> None:
        """Fill the slots; sleep until the bell rings, a step ends, or it is time to look again."""
        wake = asyncio.Event()
        self._sleepers.append(wake)
        mine: set[asyncio.Task[None]] = set()
        while not self._stopping.is_set():
            wake.clear()
            if len(mine) >= slots:
                self._plant.listener.busy(pools)
            claim = await self._claim(pools) if len(mine) < slots else None
            if claim is None:
                await wake.wait()
                continue
            task = asyncio.create_task(self._attempt(claim.job))
            for group in (mine, self._running):
                group.add(task)
                task.add_done_callback(group.discard)
            task.add_done_callback(lambda _: self._wake())
        self._plant.listener.busy(pools)

    async def _claim(self, pools: Sequence[Pool]) -> Claim | None:
        """A look for work. What becomes of the rings that led to it, `Listener` says."""
        listener = self._plant.listener
        if not (self._reach.there and self._has_room()):
            listener.busy(pools)
            return None
        heard = listener.free(pools)
        try:
            claim = await asyncio.to_thread(self._plant.pipeline.claim, pools, self._plant.name)
        except DatabaseUnavailable as error:
            log.warning("nothing can be claimed now: %s", error)
            listener.busy(pools)  # until the next look: others may reach the database
            listener.hand_on(heard)
            return None
        if claim is not None:
            listener.hand_on(heard)
        return claim

    def _has_room(self) -> bool:
        """A host whose disk is full would fail one step after another, faster than the others can do them."""
        had, self._roomy = self._roomy, shutil.disk_usage(self._scratch).free >= self._plant.room
        if had and not self._roomy:
            log.error("the scratch disk is full: nothing is claimed until %d bytes are free on it", self._plant.room)
        if self._roomy and not had:
            log.info("there is room on the scratch disk again")
        return self._roomy

    async def _attempt(self, job: Job) -> None:
        """One step from claim to its end in the catalog."""
        try:
            ended = await self._inline(job) if KINDS[job.kind].inline else await self._in_child(job)
        except asyncio.CancelledError:
            await self._give_back(job)
            raise
        except NoChild as error:
            log.warning("%s; the step is given back", error, extra={"asset": job.asset, "step": job.key})
            await self._give_back(job)
            await asyncio.sleep(NO_CHILD_PAUSE)
            return
        except Exception as error:  # a fault of ours must end the attempt, not leave its lease to expire
            log.exception("the attempt broke", extra={"asset": job.asset, "step": job.key})
            ended = failed("internal", Blame.TRANSIENT, repr(error))
        if isinstance(ended, Failed) and await self._is_cut_off(ended):
            log.warning("the step is given back: %s", ended.detail, extra={"asset": job.asset, "step": job.key})
            await self._give_back(job)
            return
        await self._settle(job, ended)

    async def _is_cut_off(self, ended: Failed) -> bool:
        """Whether it failed for want of an object store, and not of its own. The lease is not renewed meanwhile."""
        patience = min(3.0, self._plant.pipeline.lease / 3)
        return ended.reason.code == "storage_unavailable" and await self._reach.is_lost(patience)

    async def _give_back(self, job: Job) -> None:
        try:
            await asyncio.to_thread(self._plant.pipeline.release, job, "released")
        except DatabaseUnavailable as error:
            log.warning("a step could not be given back (%s); its lease will expire", error, extra={"step": job.key})

    async def _settle(self, job: Job, ended: Ended) -> None:
        try:
            await _outlast(lambda: self._record(job, ended))
        except Exception as error:  # a result that the catalog cannot take is a failed attempt, not one that is lost
            log.exception("the result was not taken", extra={"asset": job.asset, "step": job.key})
            broken = failed("internal", Blame.TRANSIENT, repr(error))
            await _outlast(lambda: self._record(job, broken))

    async def _inline(self, job: Job) -> Ended:
        def work() -> Ended:
            try:
                workspace = Workspace(open_store(self._plant.storage), self._scratch, self._plant.tools)
                return Done(result=perform(job, workspace), cpu_seconds=0.0)
            except StepFailure as failure:
                return Failed.of(failure, 0.0)

        return await asyncio.to_thread(work)

    async def _in_child(self, job: Job) -> Ended:
        scratch = self._scratch / f"{job.step_id}-{job.fence}"
        try:
            tools = await asyncio.to_thread(with_key, job, tools_for(job.kind, self._plant.tools), self._plant.keys)
        except StepFailure as failure:
            return Failed.of(failure, 0.0)
        order = Order(job=job, scratch=scratch, storage=self._plant.storage, tools=tools)
        children = self._brisk if job.priority > NORMAL else self._patient
        child = await children.take()
        try:
            return await Attempt(self._plant.pipeline, child, order, self._plant.heartbeat).run()
        finally:
            await asyncio.shield(children.put_back(child))
            children.warm()
            await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)

    def _record(self, job: Job, ended: Ended) -> None:
        pipeline, about = self._plant.pipeline, {"asset": job.asset, "step": job.key, "worker": self._plant.name}
        match ended:
            case Done():
                kept = pipeline.complete(job, ended.result, ended.cpu_seconds, copied=ended.copied)
                log.info("step %s" if kept else "step %s, but too late: fenced", ended.result.kind, extra=about)
            case Failed(reason=reason, detail=detail):
                if not pipeline.fail(job, reason, ended.blame, detail=detail, cpu_seconds=ended.cpu_seconds):
                    log.info("step ended in vain: it was to stop", extra=about)
                    return
                level = logging.ERROR if reason.code in OPERATOR_REASONS else logging.INFO
                log.log(level, "step failed", extra={**about, "code": reason.code, "detail": detail[-2000:]})
            case Lost.CANCELLED:
                pipeline.release(job, "cancelled")
                log.info("step cancelled", extra=about)
            case Lost.FENCED:
                pipeline.overtaken(job)
                log.warning("step lost to another worker; stopped", extra=about)


async def _outlast(action: Callable[[], T]) -> T:
    """Do a catalog action; while the database is away, keep trying: the work in hand must not be forgotten."""
    delay = 0.1
    while True:
        try:
            return await asyncio.to_thread(action)
        except DatabaseUnavailable as error:
            log.warning("the catalog did not answer (%s); trying again in %.1f s", error, delay)
            await asyncio.sleep(delay)
            delay = min(5.0, delay * 2)


def tools_for(kind: StepKind, tools: ToolSettings) -> ToolSettings:
    """A pull has a time limit of its own, and nobody else needs to know what it is told; nor how caches are."""
    if kind is not StepKind.CLEANUP:
        tools = tools.model_copy(update={"purge": None})
    if kind is not StepKind.PULL:
        return tools.model_copy(update={"pull": None})
    wall = tools.pull.seconds if tools.pull else tools.limits.wall
    return tools.model_copy(update={"limits": tools.limits.model_copy(update={"wall": wall})})


async def _ended(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they are over."""
    waited = list(tasks)
    for task in waited:
        task.cancel()
    await asyncio.gather(*waited, return_exceptions=True)
