"""One request at a time appends to an upload. A newer request may end an older one whose client has gone silent.

A phone that changes networks leaves a half-open connection behind: the server hears nothing and would keep the upload
locked for minutes, while the client is back and asks for its offset. So silence loses against a new request.
`Holds` is for one process; `rushes.ingest.fleet` does the same for several. Belongs to one event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Protocol

from rushes.clock import SystemClock
from rushes.errors import RushesError

STALLED = 1.0
"""Seconds without a byte after which a newer request may take over."""
HAND_OFF = 10.0
"""Seconds that an ended request may take to store what it has."""


class Locked(RushesError):
    """Not in the specification, but what tus clients retry on (423)."""

    status = 423

    def __init__(self, message: str = "Another request is writing to this upload. Please try again.") -> None:
        super().__init__("upload_locked", message)


class Hold:
    """The right to append, and when its request was last heard. `fence` rises with each hold of an upload."""

    def __init__(self, fence: int = 0) -> None:
        self.fence = fence
        self.is_mine: Callable[[], Awaitable[bool]] = _always
        self.heard = time.monotonic()
        self.interrupted = False
        self.released = asyncio.Event()
        self._limit: asyncio.Timeout | None = None

    @property
    def silence(self) -> float:
        """Seconds since the last byte."""
        return time.monotonic() - self.heard

    def interrupt(self) -> None:
        """End the receiving of this hold's request, which then keeps what it has and lets go."""
        self.interrupted = True
        if self._limit is not None:
            self._limit.reschedule(asyncio.get_running_loop().time())

    async def confirm(self) -> None:
        """Ask before anything is acknowledged. Raises Locked where another process has taken the upload meanwhile."""
        if not await self.is_mine():
            raise Locked

    @asynccontextmanager
    async def receiving(self) -> AsyncIterator[None]:
        """Raises TimeoutError inside when interrupted."""
        try:
            async with asyncio.timeout(0 if self.interrupted else None) as self._limit:
                yield
        finally:
            self._limit = None


class UploadLocks(Protocol):
    def claim(self, upload: str, *, force: bool = False) -> AbstractAsyncContextManager[Hold]:
        """Raises Locked unless the upload is free, or its holder is silent (`force`: whatever its holder does)."""
        ...

    async def settle(self, upload: str) -> bool:
        """Wait a moment until nobody appends, ending a holder that is or becomes silent. False: one is still there."""
        ...


class Holds:
    """For one process. The fence is its clock, so that what a killed predecessor still has under way sorts below."""

    def __init__(self, *, stalled: float = STALLED, hand_off: float = HAND_OFF) -> None:
        self._held: dict[str, Hold] = {}
        self._stalled = stalled
        self._hand_off = hand_off

    @asynccontextmanager
    async def claim(self, upload: str, *, force: bool = False) -> AsyncIterator[Hold]:
        holder = self._held.get(upload)
        if holder is not None and (force or holder.silence >= self._stalled):
            await self._end(holder)
        if upload in self._held:
            raise Locked
        hold = self._held[upload] = Hold(int(SystemClock().now() * 1000))
        try:
            yield hold
        finally:
            del self._held[upload]
            hold.released.set()

    async def settle(self, upload: str) -> bool:
        holder = self._held.get(upload)
        if holder is None:
            return True
        await _wait(holder, min(self._stalled, max(0.0, self._stalled - holder.silence)))
        if not holder.released.is_set() and holder.silence >= self._stalled:
            await self._end(holder)
        return upload not in self._held

    async def _end(self, holder: Hold) -> None:
        holder.interrupt()
        await _wait(holder, self._hand_off)


async def _always() -> bool:
    return True


async def _wait(holder: Hold, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await holder.released.wait()
