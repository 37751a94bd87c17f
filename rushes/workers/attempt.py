"""One attempt: an order given to a child, heartbeats until it answers, the end of the child when it must stop."""

from __future__ import annotations

import asyncio
from enum import StrEnum

from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.pipeline import Answer, Pipeline
from rushes.clock import Clock, SystemClock
from rushes.engine.kinds import KINDS
from rushes.errors import REASONS, Blame
from rushes.noun import Reason
from rushes.workers.children import Child
from rushes.workers.order import Done, Failed, Order, Progress, Ready

GRACE = 120.0
"""Seconds a child may take beyond the tool's own wall limit: fetching, verifying and storing are its own."""
SHORTEST_SILENCE = 10.0
"""Seconds without any message after which a child may be taken for stuck, however short the stall limit is."""
SILENCE = Progress(fraction=0.0)


class Lost(StrEnum):
    CANCELLED = "cancelled"
    FENCED = "fenced"


Ended = Done | Failed | Lost


class Attempt:
    def __init__(
        self, pipeline: Pipeline, child: Child, order: Order, heartbeat: float, clock: Clock | None = None
    ) -> None:
        self._pipeline = pipeline
        self._child = child
        self._order = order
        self._heartbeat = heartbeat
        self._clock = clock or SystemClock()
        self._progress = 0.0
        self._answered = False
        self._renewed = self._clock.monotonic()

    async def run(self) -> Ended:
        """How it ended. Unless the child itself answered, it is dead then: what it would say next is not for others."""
        try:
            async with asyncio.timeout(self._order.tools.limits.wall + GRACE):
                await self._child.give(self._order)
                return await self._converse()
        except TimeoutError:
            return failed("over_limit_time", Blame.TRANSIENT)
        except (BrokenPipeError, ConnectionResetError):
            return failed("tool_killed", Blame.POISON)
        finally:
            if not self._answered:
                await asyncio.shield(self._child.kill())

    async def _converse(self) -> Ended:
        clock = self._clock
        last = heard = clock.monotonic()
        while True:
            message = await self._hear()
            heard = clock.monotonic() if message is not SILENCE else heard
            if clock.monotonic() - heard > max(SHORTEST_SILENCE, self._order.tools.limits.stall):
                return failed("stalled", Blame.TRANSIENT, "the child gave no sign of life")
            match message:
                case (Done() | Failed()) as answer:
                    self._answered = True
                    return answer
                case None:
                    return failed("tool_killed", Blame.POISON)
                case Progress(fraction=fraction):
                    self._progress = max(self._progress, fraction)
            if clock.monotonic() - last >= self._heartbeat:
                last = clock.monotonic()
                stopped = await self._beat()
                if stopped is not None:
                    return stopped

    async def _hear(self) -> Ready | Progress | Done | Failed | None:
        """The child's next message, or SILENCE. (`wait_for` may swallow a cancellation.)"""
        try:
            async with asyncio.timeout(self._heartbeat):
                return await self._child.hear()
        except TimeoutError:
            return SILENCE

    async def _beat(self) -> Ended | None:
        """Renew the lease; a reason to stop, if there is one."""
        if await asyncio.to_thread(self._child.memory) > self._order.tools.limits.memory:
            return failed("over_limit_memory", Blame.PERMANENT)
        try:
            answer = await asyncio.to_thread(self._pipeline.renew, self._order.job, self._progress)
        except DatabaseUnavailable:
            strict = KINDS[self._order.job.kind].strict
            expired = self._clock.monotonic() - self._renewed > self._pipeline.lease
            return Lost.FENCED if strict and expired else None  # else the fence decides at the end whether it counts
        self._renewed = self._clock.monotonic()
        return {Answer.OK: None, Answer.CANCEL: Lost.CANCELLED, Answer.FENCED: Lost.FENCED}[answer]


def failed(code: str, blame: Blame, detail: str = "") -> Failed:
    return Failed(reason=Reason(code=code, message=REASONS[code]), blame=blame, detail=detail, cpu_seconds=0.0)
