"""From a request's body to the store: one piece is written by a thread while the socket fills the next (`rushes.ingest.body`).

However the request ends (its last byte, a broken connection, a newer request, a shutdown), what arrived is stored; but
of a body with a checksum nothing is, unless it came whole and the checksum is right.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass

from starlette.requests import ClientDisconnect

from rushes.errors import RushesError
from rushes.ingest.checksum import Check, Proof
from rushes.ingest.hold import Hold
from rushes.ingest.requests import TooLong
from rushes.ingest.store import Appender, Piece

IDLE = 120.0
"""Seconds of silence after which a connection counts as lost."""
TELL_EVERY = 1.0
"""Seconds between two commits, where they are cheap, of a request whose client wants to hear how far it is."""

Told = Callable[[int], None]
"""Hears of offsets while a body comes. They are safe: each may be the next one that the client starts at."""
See = Callable[[bytes | memoryview], bool]
"""Is shown each piece of a body in order, and says whether it wants more of them."""


@dataclass(frozen=True)
class Received:
    offset: int
    """Of the upload, committed."""
    whole: bool
    """The body came to its end."""


async def receive(  # noqa: PLR0913 - one body's way has these ends
    body: AsyncIterable[Piece],
    appender: Appender,
    room: int,
    hold: Hold,
    threads: Executor | None = None,
    *,
    check: Check | None = None,
    told: Told | None = None,
    see: See | None = None,
) -> Received:
    """Append at most `room` bytes of the body, close the appender, and give the committed offset.

    With a `check`, the appender is an unproven one. `see` is shown the pieces until it says that it has seen enough; what it
    raises ends the body. Raises StoreFull, StoreError, TooLong for a longer body, or ChecksumMismatch and what the check
    raises; then none of the body is kept beyond what was told.
    """
    writer = _Writer(appender, hold, threads, Proof(check) if check else None, None if check else told)
    whole = False
    try:
        with suppress(ClientDisconnect, TimeoutError):
            async with hold.receiving():
                async for piece in body:
                    hold.heard = time.monotonic()
                    room -= len(piece)
                    if room < 0:
                        raise TooLong
                    if see is not None and not see(piece):
                        see = None
                    await writer.write(piece)
                whole = True
    finally:
        rest = [] if whole else hold.rest()
        room -= sum(map(len, rest))
        # A cancelled request does not cancel this: a descriptor must not be closed under a thread that writes to it.
        keep = room >= 0 and (whole or check is None)
        offset = await asyncio.shield(asyncio.ensure_future(writer.finish(rest, keep=keep)))
    return Received(offset, whole)


class _Writer:
    """Writes pieces in order. After a failed write nothing more is written: there would be a gap."""

    def __init__(
        self, appender: Appender, hold: Hold, threads: Executor | None, proof: Proof | None, told: Told | None
    ) -> None:
        self._threads = threads
        self._loop = asyncio.get_running_loop()
        self._appender = appender
        self._hold = hold
        self._proof, self._told = proof, told
        self._committed = time.monotonic()
        self._pending: asyncio.Future[int | None] | None = None
        self._timer = self._loop.call_later(IDLE, self._look)

    async def write(self, piece: Piece) -> None:
        self._pending = self._loop.run_in_executor(self._threads, self._write_and_commit, piece)
        offset = await self._settle()
        self._hold.heard = time.monotonic()  # it was the store that let us wait, not the client
        if offset is not None and self._told is not None:
            await self._hold.confirm()
            self._told(offset)

    async def finish(self, rest: Sequence[Piece], *, keep: bool) -> int:
        """Store the rest, or forget what this request brought; commit, close, give the offset."""
        self._timer.cancel()
        try:
            await self._settle()
            return await self._loop.run_in_executor(self._threads, self._finish, rest, keep)
        finally:
            self._appender.close()

    def _finish(self, rest: Sequence[Piece], keep: bool) -> int:
        failure: RushesError | None = None
        if keep:
            self._appender.write(rest)
            failure = self._disproved()
        if not keep or failure:
            self._appender.rollback()
        offset = self._appender.commit()
        if failure:
            raise failure
        return offset

    def _disproved(self) -> RushesError | None:
        if self._proof:
            try:
                self._proof.verify()
            except RushesError as error:
                return error
        return None

    def _write_and_commit(self, piece: Piece) -> int | None:
        """The offset that may be told, if it is time for one."""
        if self._proof:
            piece = bytes(piece)
            self._proof.update([piece])
        self._appender.write([piece])
        if self._told is None or time.monotonic() - self._committed < TELL_EVERY:
            return None
        offset = self._appender.commit_if_cheap()
        self._committed = time.monotonic()
        return offset

    async def _settle(self) -> int | None:
        """Wait for the write in flight; gives its result, or raises its error. An interruption does not lose it."""
        return None if self._pending is None else await asyncio.shield(self._pending)

    def _look(self) -> None:
        """Whether the client is still there."""
        left = IDLE - self._hold.silence
        if left <= 0:
            self._hold.interrupt()
        self._timer = self._loop.call_later(max(left, 1.0), self._look)
