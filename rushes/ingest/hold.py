"""One request at a time appends to an upload. A newer request may end an older one whose client has gone silent.

A phone that changes networks leaves a half-open connection behind: the server hears nothing and would keep the upload
locked for minutes, while the client is back and asks for its offset. So silence loses against a new request, and only
silence: a client that sends keeps its upload, and the time that the store takes is not its silence.
`Holds` is for one process; `rushes.ingest.fleet` does the same for several. Belongs to one event loop.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Protocol

from rushes.clock import SystemClock
from rushes.errors import RushesError
from rushes.ingest.store import Piece

STALLED = 0.2
"""Seconds without a byte after which a newer request takes over. It waits for so long, or until the next byte comes."""
MARGIN = 0.02
"""Seconds; timers may fire a little early."""
HAND_OFF = 10.0
"""Seconds that an ended request may take to store what it has."""


class Locked(RushesError):
    """Not in the specification, but what tus clients retry on (423)."""

    status = 423

    def __init__(self, message: str = "Another request is writing to this upload. Please try again.") -> None:
        super().__init__("upload_locked", message)


class Source(ABC):
    """Where the bytes of a request come from, if it can tell more than that they came."""

    @property
    @abstractmethod
    def heard(self) -> float:
        """When the last byte came (time.monotonic), though it may not have been handed on yet."""

    @abstractmethod
    def rest(self) -> list[Piece]:
        """What came and was not handed on; there will be no more."""


class Hold:
    """The right to append, and when its request was last heard. `fence` rises with each hold of an upload."""

    def __init__(self, fence: int = 0) -> None:
        self.fence = fence
        self.is_mine: Callable[[], Awaitable[bool]] = _always
        self.heard = time.monotonic()
        self.interrupted = False
        self.why: RushesError | None = None
        """Why it was interrupted, where it was not for silence."""
        self.released = asyncio.Event()
        self._limit: asyncio.Timeout | None = None
        self._source: Source | None = None

    def follow(self, body: object) -> None:
        """The request's bytes come from there."""
        self._source = body if isinstance(body, Source) else None

    @property
    def silence(self) -> float:
        """Seconds since the last byte; 0 while it is not the client for whom the request waits."""
        if self._limit is None:
            return 0.0
        heard = self.heard if self._source is None else max(self.heard, self._source.heard)
        return time.monotonic() - heard

    def rest(self) -> list[Piece]:
        """What came of the body before it was interrupted, and was not handed on."""
        return [] if self._source is None else self._source.rest()

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

    def is_free(self, upload: str) -> bool:
        """Whether it is certain, without asking anybody, that nobody appends now."""
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
        if holder is not None:
            await (self._end(holder) if force else self._outwait(holder))
        if upload in self._held:
            raise Locked
        hold = self._held[upload] = Hold(int(SystemClock().now() * 1000))
        try:
            yield hold
        finally:
            del self._held[upload]
            hold.released.set()

    def is_free(self, upload: str) -> bool:
        return upload not in self._held

    async def settle(self, upload: str) -> bool:
        holder = self._held.get(upload)
        if holder is not None:
            await self._outwait(holder)
        return upload not in self._held

    async def _outwait(self, holder: Hold) -> None:
        """Until it lets go, by itself or because it is silent, or is heard of again."""
        await asyncio.sleep(0)  # bytes that lie in the socket count
        left = min(self._stalled, self._stalled - holder.silence)
        await _wait(holder, max(0.0, left + MARGIN))
        if not holder.released.is_set() and holder.silence >= self._stalled:
            await self._end(holder)

    async def _end(self, holder: Hold) -> None:
        holder.interrupt()
        await _wait(holder, self._hand_off)


async def _always() -> bool:
    return True


async def _wait(holder: Hold, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await holder.released.wait()
