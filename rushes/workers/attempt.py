"""One attempt: an order given to a child, what it says until it answers, its end when it must stop."""

from __future__ import annotations

import asyncio

from rushes.clock import Clock, SystemClock
from rushes.errors import REASONS, Blame
from rushes.noun import Reason
from rushes.workers.beats import Lost, Pulse
from rushes.workers.children import Child
from rushes.workers.order import Done, Failed, Order, Progress, Ready

GRACE = 120.0
"""Seconds a child may take beyond the tool's own wall limit: fetching, verifying and storing are its own."""
SHORTEST_SILENCE = 10.0
"""Seconds without any message after which a child may be taken for stuck, however short the stall limit is."""
HELD_BACK = 0.1
"""Of a core: a child that was silent, has used less with all that it started, and would run now, was not let. One that has used
more is stuck."""
LOOK_EVERY = 1.0
"""Seconds between two looks at what the child's processes hold and have used."""
SILENCE = Progress(fraction=0.0)
Ended = Done | Failed | Lost


class Attempt:
    def __init__(self, child: Child, order: Order, pulse: Pulse, clock: Clock | None = None) -> None:
        """`pulse`: where what the child says is told on, and from where comes the word to stop."""
        self._child = child
        self._order = order
        self._pulse = pulse
        self._clock = clock or SystemClock()
        self._answered = False

    async def run(self) -> Ended:
        """How it ended. Unless the child itself answered, it is dead then: what it would say next is not for others."""
        talk = asyncio.create_task(self._talk())
        told = asyncio.create_task(self._pulse.told.wait())
        try:
            await asyncio.wait((talk, told), return_when=asyncio.FIRST_COMPLETED)
            if talk.done():
                return talk.result()
            return self._pulse.lost or Lost.RELEASED
        finally:
            for task in (talk, told):
                task.cancel()
            await asyncio.gather(talk, told, return_exceptions=True)
            if not self._answered:
                await asyncio.shield(self._child.kill())

    async def _talk(self) -> Ended:
        try:
            async with asyncio.timeout(self._order.tools.limits.wall + GRACE):
                await self._child.give(self._order)
                return await self._converse()
        except TimeoutError:
            return failed("over_limit_time", Blame.RESOURCE)
        except (BrokenPipeError, ConnectionResetError):
            return failed("tool_killed", Blame.POISON)

    async def _converse(self) -> Ended:
        limits = self._order.tools.limits
        looked = heard = self._clock.monotonic()
        spent = 0.0
        while True:
            message = await self._hear()
            now = self._clock.monotonic()
            heard = now if message is not SILENCE else heard
            if now - heard > max(SHORTEST_SILENCE, limits.stall):
                if not await self._starves(now - heard, self._pulse.cpu_seconds - spent):
                    return failed("stalled", Blame.TRANSIENT, "the child gave no sign of life")
                heard, spent = now, self._pulse.cpu_seconds  # others go before it
            match message:
                case (Done() | Failed()) as answer:
                    self._answered = True
                    return answer
                case None:
                    return failed("tool_killed", Blame.POISON)
                case Progress(fraction=fraction):
                    self._pulse.progress = max(self._pulse.progress, fraction)
            if now - looked >= LOOK_EVERY:
                looked = now
                if await self._holds() > limits.memory:
                    return failed("over_limit_memory", Blame.PERMANENT)
            spent = self._pulse.cpu_seconds if heard == now else spent

    async def _starves(self, silent: float, used: float) -> bool:
        """Whether it wants to run and gets no processor. `silent` in seconds, `used` in CPU seconds of that time."""
        return used <= HELD_BACK * silent and await asyncio.to_thread(self._child.starves)

    async def _hear(self) -> Ready | Progress | Done | Failed | None:
        """The child's next message, or SILENCE. (`wait_for` may swallow a cancellation.)"""
        try:
            async with asyncio.timeout(LOOK_EVERY):
                return await self._child.hear()
        except TimeoutError:
            return SILENCE

    async def _holds(self) -> int:
        """Bytes of memory; the CPU seconds so far are noted on the way."""
        memory, cpu_seconds = await asyncio.to_thread(self._child.usage)
        self._pulse.cpu_seconds = max(self._pulse.cpu_seconds, cpu_seconds)
        return memory


def failed(code: str, blame: Blame, detail: str = "") -> Failed:
    return Failed(reason=Reason(code=code, message=REASONS[code]), blame=blame, detail=detail, cpu_seconds=0.0)
