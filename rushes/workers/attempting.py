"""One step from its claim to its end in the catalog."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from typing import TypeVar

from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.pipeline import Wish
from rushes.catalog.records import Claim
from rushes.engine.classes import Class, class_of
from rushes.engine.footprint import media_seconds
from rushes.engine.job import Job, ToolSettings
from rushes.engine.kinds import KINDS
from rushes.engine.specs import NORMAL
from rushes.errors import OPERATOR_REASONS, Blame, StepFailure
from rushes.ffmpeg.giving_way import IDLE
from rushes.states import StepKind
from rushes.storage.open import open_store
from rushes.storage.workspace import Workspace
from rushes.tracing import attempt_span, trace_id, traceparent
from rushes.workers.attempt import Attempt, Ended, failed
from rushes.workers.beats import Beats, Lost, Pulse
from rushes.workers.child import perform
from rushes.workers.children import Children, NoChild, passed_on
from rushes.workers.hurry import Hurry
from rushes.workers.media_key import with_key
from rushes.workers.order import Done, Failed, Order
from rushes.workers.parts import for_later
from rushes.workers.plant import Plant
from rushes.workers.reach import Reach
from rushes.workers.room import Room
from rushes.workers.slots import EXPRESS_SLOTS, LIGHT_SLOTS
from rushes.workers.speed import Speed

GIVING_WAY = 10
"""Niceness of steps that nobody waits for this moment: beside a ladder's encodes, a fresh upload took three times as long to
become playable as on an idle machine."""
CROWDING = 5
"""Of urgent steps of a tenant's second asset and further ones: those of another tenant go before them."""
STARTING = 60.0
"""Seconds that a child gets for its imports, which take half a second of a free core. A busy host may give it a twentieth of
one, and to kill it and start another would make it busier; its step is spoken for meanwhile."""
NO_CHILD_PAUSE = 5.0
"""Seconds a slot rests when the machine could not start a child for it."""
GIVE_BACK = 3.0
"""Seconds that the catalog gets to hear that a step is handed back."""
log = logging.getLogger("rushes.worker")
T = TypeVar("T")


class Attempts:
    """Does the steps that are handed to it, each beside the others."""

    def __init__(self, plant: Plant, slots: int, reach: Reach, beats: Beats, room: Room) -> None:
        self._plant = plant
        self._scratch = plant.scratch / plant.name
        self._reach = reach
        self._beats = beats
        self._room = room
        self.speed = Speed()
        self._leaving = asyncio.Event()
        environment = passed_on(os.environ, plant.storage)
        self._brisk = Children(LIGHT_SLOTS, environment, STARTING)
        self._crowd = Children(EXPRESS_SLOTS, environment, STARTING, CROWDING)  # as with bulk, none is warm
        self._hurry = Hurry()
        self._patient = Children(min(slots, 2), environment, STARTING, GIVING_WAY)
        self._bulk = Children(min(slots, 2), environment, STARTING, IDLE)  # before the first such step

    def warm(self) -> None:
        for children in (self._brisk, self._patient):
            children.warm()

    def measure_anew(self) -> None:
        """How fast this host is: what was so far is forgotten."""
        self.speed = Speed()

    def leave(self) -> None:
        """The worker ends: no slot rests any more."""
        self._leaving.set()

    async def close(self) -> None:
        for children in (self._brisk, self._crowd, self._patient, self._bulk):
            await children.close()

    async def attempt(self, job: Job, wish: Callable[[], Wish | None]) -> Claim | None:
        """Gives what its worker does next, where the catalog had that with the end of this step. `wish` is asked for it then."""
        try:
            with self._beats.of(job) as pulse:
                async with self._room.taken(job):
                    ended = await self._tried(job, pulse)
        except asyncio.CancelledError:
            await self._give_back(job)
            raise
        except NoChild as error:
            log.warning("%s; the step is given back", error, extra={"asset": job.asset, "step": job.key})
            await self._give_back(job)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(NO_CHILD_PAUSE):
                    await self._leaving.wait()
            return None
        if isinstance(ended, Failed) and await self._is_cut_off(ended):
            log.warning("the step is given back: %s", ended.detail, extra={"asset": job.asset, "step": job.key})
            await self._give_back(job, pulse.cpu_seconds)
            return None
        return await self._settle(job, ended, pulse, wish)

    async def _tried(self, job: Job, pulse: Pulse) -> Ended:
        """Raises NoChild."""
        if pulse.lost:  # while it waited for room
            return pulse.lost
        try:
            return await self._inline(job) if KINDS[job.kind].inline else await self._in_child(job, pulse)
        except NoChild:
            raise
        except Exception as error:  # a fault of ours must end the attempt, not leave its lease to expire
            log.exception("the attempt broke", extra={"asset": job.asset, "step": job.key})
            return failed("internal", Blame.TRANSIENT, repr(error))

    async def _is_cut_off(self, ended: Failed) -> bool:
        """Whether it failed for want of an object store, and not of its own. The lease is not renewed meanwhile."""
        patience = min(3.0, self._plant.pipeline.lease / 3)
        return ended.reason.code == "storage_unavailable" and await self._reach.is_lost(patience)

    async def _give_back(self, job: Job, cpu_seconds: float = 0.0) -> None:
        try:
            async with asyncio.timeout(GIVE_BACK):
                await asyncio.to_thread(self._plant.pipeline.release, job, "released", cpu_seconds)
        except (DatabaseUnavailable, TimeoutError) as error:
            log.warning("a step could not be given back (%s); its lease will expire", error, extra={"step": job.key})

    async def give_back(self, job: Job) -> None:
        """A step that was claimed and does not fit here: others may have it."""
        await self._give_back(job)

    async def _settle(
        self, job: Job, ended: Ended, pulse: Pulse, wish: Callable[[], Wish | None]
    ) -> Claim | None:  # fmt: skip
        try:
            if isinstance(ended, Done):
                return await outlast(lambda: self._complete(job, ended, wish()))
            await outlast(lambda: self._record(job, ended, pulse))
        except Exception as error:  # a result that the catalog cannot take is a failed attempt, not one that is lost
            log.exception("the result was not taken", extra={"asset": job.asset, "step": job.key})
            broken = failed("internal", Blame.TRANSIENT, repr(error))
            await outlast(lambda: self._record(job, broken, pulse))
        return None

    async def _inline(self, job: Job) -> Ended:
        def work() -> Ended:
            try:
                workspace = Workspace(open_store(self._plant.storage), self._scratch, self._plant.tools)
                return Done(result=perform(job, workspace), cpu_seconds=0.0)
            except StepFailure as failure:
                return Failed.of(failure, 0.0)

        return await asyncio.to_thread(work)

    async def _in_child(self, job: Job, pulse: Pulse) -> Ended:
        scratch = self._scratch / f"{job.step_id}-{job.fence}"
        try:
            tools = await asyncio.to_thread(with_key, job, tools_for(job, self._plant.tools), self._plant.keys)
        except StepFailure as failure:
            return Failed.of(failure, 0.0)
        traced = self._plant.spans.traces(job.asset)
        order = Order(
            job=job, scratch=scratch, storage=self._plant.storage, tools=tools,
            traceparent=traceparent(trace_id(job.asset), attempt_span(job.step_id, job.fence)) if traced else "",
        )  # fmt: skip
        with self._children_for(job) as children:
            return await self._with_one(children, order, pulse)

    async def _with_one(self, children: Children, order: Order, pulse: Pulse) -> Ended:
        child = await children.take()
        began = self._plant.clock.monotonic()
        try:
            ended = await Attempt(child, order, pulse).run()
            self._measure(order.job, ended, self._plant.clock.monotonic() - began)
            return ended
        finally:
            await asyncio.shield(children.put_back(child))
            children.warm()
            await asyncio.to_thread(shutil.rmtree, order.scratch, ignore_errors=True)

    @contextlib.contextmanager
    def _children_for(self, job: Job) -> Iterator[Children]:
        if job.priority <= NORMAL:
            yield self._bulk if class_of(job.priority) is Class.BULK else self._patient
            return
        with self._hurry.of(job.tenant, job.asset) as first:
            yield self._brisk if first else self._crowd

    def _measure(self, job: Job, ended: Ended, wall: float) -> None:
        if isinstance(ended, Done | Failed):
            self._plant.telemetry.storage.add(ended.requests)
            if ended.ran is not None:
                self._plant.spans.later(for_later(job, ended.ran))
        match ended:
            case Done(copied=False) if ended.result.kind != "skipped":
                self.speed = self.speed.after(job.estimate, ended.cpu_seconds)
                if job.kind is StepKind.ENCODE:
                    self._plant.telemetry.encoded(_made(job), wall)
            case Lost():
                self._plant.telemetry.killed(ended.value)
            case Failed(cpu_seconds=0.0, reason=reason):  # the child itself did not end it
                self._plant.telemetry.killed(reason.code)

    def _about(self, job: Job) -> dict[str, str]:
        """For the log."""
        about = {"asset": job.asset, "step": job.key, "worker": self._plant.name}
        return {**about, "tenant": job.tenant, "attempt": str(job.fence)}

    def _complete(self, job: Job, done: Done, then: Wish | None) -> Claim | None:
        kept, claim = self._plant.pipeline.complete_and_claim(
            job, done.result, done.cpu_seconds, then, copied=done.copied, moved=(done.bytes_read, done.bytes_written)
        )
        text = "step %s" if kept else "step %s, but too late: fenced"
        log.info(text, done.result.kind, extra=self._about(job))
        return claim

    def _record(self, job: Job, ended: Failed | Lost, pulse: Pulse) -> None:
        pipeline, about = self._plant.pipeline, self._about(job)
        match ended:
            case Failed(reason=reason, detail=detail):
                spent = ended.cpu_seconds or pulse.cpu_seconds
                moved = (ended.bytes_read, ended.bytes_written)
                if not pipeline.fail(job, reason, ended.blame, detail=detail, cpu_seconds=spent, moved=moved):
                    log.info("step ended in vain: it was to stop", extra=about)
                    return
                level = logging.ERROR if reason.code in OPERATOR_REASONS else logging.INFO
                log.log(level, "step failed", extra={**about, "code": reason.code, "detail": detail[-2000:]})
            case Lost.FENCED:
                pipeline.overtaken(job)
                log.warning("step lost to another worker; stopped", extra=about)
            case Lost():
                pipeline.release(job, "cancelled" if ended is Lost.CANCELLED else "released", pulse.cpu_seconds)
                log.info("step %s", ended.value, extra=about)


async def outlast(action: Callable[[], T]) -> T:
    """Do a catalog action; while the database is away, keep trying: the work in hand must not be forgotten."""
    for delay in _delays():
        try:
            return await asyncio.to_thread(action)
        except DatabaseUnavailable as error:
            log.warning("the catalog did not answer (%s); trying again in %.1f s", error, delay)
            await asyncio.sleep(delay)
    raise AssertionError("the delays have no end")


def _delays() -> Iterator[float]:
    delay = 0.1
    while True:
        yield delay
        delay = min(5.0, delay * 2)


def tools_for(job: Job, tools: ToolSettings) -> ToolSettings:
    """A pull has a time limit of its own, and nobody else needs to know what it is told; nor how caches are. A step that is known
    to need more memory than others may hold it."""
    limits = tools.limits.model_copy(update={"memory": max(tools.limits.memory, job.needs.memory)})
    tools = tools.model_copy(update={"limits": limits})
    if job.kind is not StepKind.CLEANUP:
        tools = tools.model_copy(update={"purge": None})
    if job.kind is not StepKind.PULL:
        return tools.model_copy(update={"pull": None})
    wall = tools.pull.seconds if tools.pull else limits.wall
    return tools.model_copy(update={"limits": limits.model_copy(update={"wall": wall})})


def _made(job: Job) -> float:
    """Seconds of media that an encode makes. One of the whole does not say them."""
    whole = job.params.get("chunks") == 1 and not job.params.get("reuse")
    return media_seconds(job.params) or (job.facts.duration if job.facts and whole else 0.0)
