"""The signs of life of a worker's running steps: all in one transaction, whose answer says which must stop.

Five thousand running steps that each spoke for themselves once a second would be five thousand commits a second. What is wrong
with the row of one (somebody holds it, or a newer release wrote what is not known here) is that one's alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum

from rushes.catalog.database import LOCKED, DatabaseUnavailable
from rushes.catalog.pipeline import Answer, Pipeline
from rushes.catalog.records import Beat
from rushes.clock import Clock
from rushes.engine.job import Job
from rushes.engine.kinds import KINDS
from rushes.engine.specs import NORMAL

TICK = 1.0
"""Seconds within which a step that somebody waits for hears that it has been cancelled."""
PATIENCE = 10
"""Leases without a word of the catalog after which any step ends. Its result, if it is not too late, counts until then: what
costs a fleet all its work in hand must be more than a restart of its database."""
log = logging.getLogger("rushes.worker")


class Lost(StrEnum):
    """Why an attempt must stop."""

    CANCELLED = "cancelled"
    FENCED = "fenced"
    PREEMPTED = "preempted"
    RELEASED = "released"
    """The worker drains."""


_STOPS = {Answer.CANCEL: Lost.CANCELLED, Answer.FENCED: Lost.FENCED, Answer.PREEMPT: Lost.PREEMPTED}


class Pulse:
    """What a running step has to say, and what it is told. Times in seconds of a monotonic clock."""

    def __init__(self, job: Job, now: float) -> None:
        self.job = job
        self.progress = 0.0
        self.cpu_seconds = 0.0
        self.began = self.renewed = now
        self.lost: Lost | None = None
        self.told = asyncio.Event()
        self.heard = True
        """Whether the catalog answered last time. If not, it speaks at each tick until it does."""
        self.apart = False
        """Speaks for itself, since the others were not heard together with it."""

    def stop(self, why: Lost) -> None:
        """The first reason counts."""
        self.lost = self.lost or why
        self.told.set()

    @property
    def is_due(self) -> bool:
        """Somebody waits for it this moment; or nobody has heard it."""
        return self.job.priority > NORMAL or not self.heard

    def unheard(self, silent: float, lease: float) -> None:
        """The catalog did not answer for so many seconds. What viewers would see is not done without a lease."""
        patience = lease if KINDS[self.job.kind].strict else PATIENCE * lease
        if silent > patience:
            self.stop(Lost.FENCED)


class Beats:
    def __init__(self, pipeline: Pipeline, heartbeat: float, clock: Clock, drain: Callable[[], None]) -> None:
        """`drain` is called when the catalog asks this worker to leave."""
        self._pipeline = pipeline
        self._heartbeat = heartbeat
        self._clock = clock
        self._drain = drain
        self._pulses: dict[str, Pulse] = {}

    @contextmanager
    def of(self, job: Job) -> Iterator[Pulse]:
        """The step is spoken for within this block."""
        pulse = Pulse(job, self._clock.monotonic())
        self._pulses[job.step_id] = pulse
        try:
            yield pulse
        finally:
            if self._pulses.get(job.step_id) is pulse:  # a new attempt may have begun
                del self._pulses[job.step_id]

    def stop_all(self, why: Lost) -> None:
        for pulse in self._pulses.values():
            pulse.stop(why)

    async def run(self) -> None:
        """Speak for those that somebody waits for at every tick, and for all at every heartbeat, by the clock: a catalog that is
        slow to answer must not be asked the more rarely for it."""
        tick = min(TICK, self._heartbeat)
        spoke = self._clock.monotonic()
        while True:
            await asyncio.sleep(tick)
            now = self._clock.monotonic()
            all_of_them = now - spoke > self._heartbeat - tick / 2
            spoke = now if all_of_them else spoke
            await self.speak(all_of_them=all_of_them)

    async def speak(self, *, all_of_them: bool = True) -> None:
        """Those that began within a tick have just been claimed, and mostly are done before they need to say anything."""
        before = self._clock.monotonic() - min(TICK, self._heartbeat)
        due = [pulse for pulse in self._pulses.values() if pulse.began <= before and (all_of_them or pulse.is_due)]
        together = [pulse for pulse in due if not pulse.apart]
        alone = [[pulse] for pulse in due if pulse.apart]
        await asyncio.gather(*(self._speak_for(some) for some in (together, *alone) if some))

    async def _speak_for(self, pulses: Sequence[Pulse]) -> None:
        said = [
            Beat(step=one.job.step_id, fence=one.job.fence, progress=one.progress, cpu_seconds=one.cpu_seconds)
            for one in pulses
        ]
        asked = self._clock.monotonic()
        try:
            answers = await asyncio.to_thread(self._pipeline.renew_all, said)
        except DatabaseUnavailable as error:
            log.warning("the leases could not be renewed: %s", error)
            await self._not_heard(pulses, maybe_one=error.code == LOCKED)
            return
        except Exception:  # a beat that broke must not end the worker, and all its steps
            log.exception("the leases could not be renewed")
            await self._not_heard(pulses, maybe_one=True)
            return
        for pulse in pulses:
            pulse.apart, pulse.heard = False, True
            self._answered(pulse, answers.get(pulse.job.step_id, Answer.FENCED), asked)

    async def _not_heard(self, pulses: Sequence[Pulse], *, maybe_one: bool) -> None:
        """`maybe_one`: it may be for the sake of one of them."""
        if maybe_one and len(pulses) > 1:
            for pulse in pulses:
                pulse.apart = True
            await asyncio.gather(*(self._speak_for([pulse]) for pulse in pulses))
            return
        for pulse in pulses:
            pulse.heard = False
            pulse.unheard(self._clock.monotonic() - pulse.renewed, self._pipeline.lease)

    def _answered(self, pulse: Pulse, answer: Answer, asked: float) -> None:
        if answer is Answer.DRAIN:
            self._drain()
        if stop := _STOPS.get(answer):
            pulse.stop(stop)
        else:
            pulse.renewed = asked
