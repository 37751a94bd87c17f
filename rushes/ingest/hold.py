"""One request at a time appends to an upload. A newer request may end an older one whose client has gone silent.

A phone that changes networks leaves a half-open connection behind: the server hears nothing and would keep the upload
locked for minutes, while the client is back and asks for its offset. So silence loses against a new request.
Belongs to one event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

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
    """The right to append, and when its request was last heard."""

    def __init__(self) -> None:
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

    @asynccontextmanager
    async def receiving(self) -> AsyncIterator[None]:
        """Raises TimeoutError inside when interrupted."""
        try:
            async with asyncio.timeout(0 if self.interrupted else None) as self._limit:
                yield
        finally:
            self._limit = None


class Holds:
    def __init__(self, *, stalled: float = STALLED, hand_off: float = HAND_OFF) -> None:
        self._held: dict[str, Hold] = {}
        self._stalled = stalled
        self._hand_off = hand_off

    @asynccontextmanager
    async def claim(self, upload: str, *, force: bool = False) -> AsyncIterator[Hold]:
        """Raises Locked unless the upload is free, or its holder is silent (`force`: whatever its holder does)."""
        holder = self._held.get(upload)
        if holder is not None and (force or holder.silence >= self._stalled):
            await self._end(holder)
        if upload in self._held:
            raise Locked
        hold = self._held[upload] = Hold()
        try:
            yield hold
        finally:
            del self._held[upload]
            hold.released.set()

    async def settle(self, upload: str) -> bool:
        """Wait until nobody appends, ending a holder that is or becomes silent. False: one is still at work."""
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


async def _wait(holder: Hold, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await holder.released.wait()
