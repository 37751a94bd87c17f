"""From a request's body to the store: few hops to threads, one write in flight while the next buffer fills.

However the request ends (its last byte, a broken connection, a newer request, a shutdown), what arrived is stored.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable
from concurrent.futures import Executor
from contextlib import suppress

from starlette.requests import ClientDisconnect

from rushes.ingest.hold import Hold
from rushes.ingest.protocol import too_long
from rushes.ingest.store import Appender

BUFFER = 2 * 2**20
"""Bytes gathered before a write: large enough that hops to threads do not count, small enough for many uploads."""
TICK = 0.25
"""Seconds after which a buffer that does not fill is written all the same."""
IDLE = 120.0
"""Seconds of silence after which a connection counts as lost."""


async def receive(
    body: AsyncIterable[bytes], appender: Appender, room: int, hold: Hold, threads: Executor | None = None
) -> int:
    """Append at most `room` bytes of the body, close the appender, and give the committed offset.

    Raises StoreFull, StoreError, or ProtocolError for a longer body (then none of it is kept).
    """
    writer = _Writer(appender, hold, threads)
    try:
        with suppress(ClientDisconnect, TimeoutError):
            async with hold.receiving():
                async for piece in body:
                    hold.heard = time.monotonic()
                    room -= len(piece)
                    if room < 0:
                        raise too_long()
                    await writer.take(piece)
    finally:
        # A cancelled request does not cancel this: a descriptor must not be closed under a thread that writes to it.
        offset = await asyncio.shield(asyncio.ensure_future(writer.finish(keep=room >= 0)))
    return offset


class _Writer:
    """Gathers pieces and writes them in order. After a failed write nothing more is written: there would be a gap."""

    def __init__(self, appender: Appender, hold: Hold, threads: Executor | None) -> None:
        self._threads = threads
        self._loop = asyncio.get_running_loop()
        self._appender = appender
        self._hold = hold
        self._pieces: list[bytes] = []
        self._size = 0
        self._pending: asyncio.Future[None] | None = None
        self._timer = self._loop.call_later(TICK, self._tick)

    async def take(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size >= BUFFER:
            await self._settle()
            self._hold.heard = time.monotonic()  # it was the store that let us wait, not the client
            self._submit()

    async def finish(self, *, keep: bool) -> int:
        """Store what is gathered, or forget all that this request brought; commit, close, give the offset."""
        self._timer.cancel()
        try:
            await self._settle()
            return await self._loop.run_in_executor(self._threads, self._finish, keep)
        finally:
            self._appender.close()

    def _finish(self, keep: bool) -> int:
        if keep:
            self._appender.write(self._pieces)
        else:
            self._appender.rollback()
        return self._appender.commit()

    def _submit(self) -> None:
        pieces, self._pieces, self._size = self._pieces, [], 0
        self._pending = self._loop.run_in_executor(self._threads, self._appender.write, pieces)

    async def _settle(self) -> None:
        """Wait for the write in flight and raise its error. An interruption does not lose it: `wait` leaves it be."""
        while self._pending is not None and not self._pending.done():
            await asyncio.wait({self._pending})
        if self._pending is not None:
            self._pending.result()

    def _tick(self) -> None:
        idle = self._pending is None or (self._pending.done() and self._pending.exception() is None)
        if self._pieces and idle:
            self._submit()
        if self._hold.silence >= IDLE:
            self._hold.interrupt()
        self._timer = self._loop.call_later(TICK, self._tick)
