"""The body of an upload on its way from the socket to the store: read into buffers that are used again, never copied.

uvicorn gives a body as ASGI has it: copied three times behind the socket, in messages of some hundred kB, each with a pause
of the reading. That is fine for a form, and too much for a video (docs/benchmarks.md). Here an application finds a `Body`
under `BODY` in `scope["extensions"]`; where it asks for one, the socket is read into one buffer while the store writes the
other. Whoever does not ask gets the body from `receive`, as ever.

A body of known length goes past the parser, which would only count it: a new parser begins behind its last byte. This rests
on uvicorn's internals; `tests/integration/ingest/test_ingest_body.py` holds what it needs of them, on raw sockets.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, Iterable, MutableMapping
from contextlib import suppress
from typing import Any, cast

from starlette.requests import ClientDisconnect, Request
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from rushes.ingest.hold import Source
from rushes.ingest.interim import InterimProtocol
from rushes.ingest.store import Piece

BODY = "rushes.body"
SMALLEST, LARGEST = 4096, 2**20
"""Bytes of a buffer; a connection has at most two."""
KEPT = 64 * 1024
"""Bytes of a buffer from which on it is kept to be used again: a thousand slow clients are better off without."""
SMALL = 64 * 1024
"""Bytes of a body that uvicorn keeps whole while nobody asks for it; from more it pauses the reading."""
AT_ONCE = 0.5
"""Seconds that a small body may take to be there."""
TICK = 2.0
"""Seconds after which bytes that do not fill a buffer are handed on all the same. A buffer has room for as much of a sender's
bytes, so that one who is slow costs a write every so often, however small the pieces are in which the bytes come."""


async def small_body(request: Request) -> bytes | None:
    """The whole body of a request that is not larger than `SMALL`, if it comes at once. None: read it by `body_of`, and
    nothing of it is missing there."""
    found: Body | None = (request.scope.get("extensions") or {}).get(BODY)
    return None if found is None else await found.whole(AT_ONCE)


def body_of(request: Request) -> AsyncIterable[Piece]:
    """The request's body, on the shortest way that its server has."""
    found: Body | None = (request.scope.get("extensions") or {}).get(BODY)
    return request.stream() if found is None else found


class Body(Source):
    """Pieces in order, each good until the next one is asked for. Raises ClientDisconnect where the end is missing.

    Belongs to the event loop. To be read once.
    """

    def __init__(self, protocol: BodyProtocol, cycle: RequestResponseCycle) -> None:
        self._protocol, self._cycle = protocol, cycle
        self._begun = self._stopped = self._closed = self._due = False
        self._left: int | None = None
        """Bytes still to come past the parser; None where it sees them all."""
        self._parsed: list[bytes] = []
        """What came through the parser, ahead of all that is in a buffer."""
        self._buffer: bytearray | None = None
        """Is being filled. The one before is lent to whoever reads, until they ask for the next piece."""
        self._lent: bytearray | None = None
        self._filled = 0
        self._heard = self._taken = time.monotonic()
        self._reader: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    # -- for the reader -----------------------------------------------------------------------------------------------

    @property
    def heard(self) -> float:
        """When its last byte came (time.monotonic); now, where it is we who do not read."""
        return time.monotonic() if self._protocol.flow.read_paused else self._heard

    def __aiter__(self) -> Body:
        return self

    async def __anext__(self) -> Piece:
        if not self._begun:
            self._begin()
        if self._lent is not None:
            self._protocol.buffers.give(self._lent)
            self._lent = None
        while (piece := self._take() if self._is_ready() else None) is None:
            if self._is_over():
                break
            await self._wait()
        if piece is not None:
            self._protocol.flow.resume_reading()  # into the other buffer, while this one is written
            return piece
        self.close()
        if self._cycle.more_body:
            raise ClientDisconnect
        raise StopAsyncIteration

    async def whole(self, patience: float) -> bytes | None:
        """All of it, if it comes within so many seconds and nobody asked for a piece before. None: nothing was taken.

        The parser collects it: for a few kilobytes its copies cost less than going past it. At most `SMALL` bytes.
        """
        cycle = self._cycle
        if self._begun or cycle.waiting_for_100_continue:
            return None
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while cycle.more_body and not cycle.disconnected:
                    cycle.message_event.clear()
                    await cycle.message_event.wait()
        if cycle.more_body or cycle.disconnected:
            return None
        self._begun = True
        body, cycle.body = bytes(cycle.body), bytearray()
        return body

    def rest(self) -> list[Piece]:
        """What came and was not asked for; there will be no more. For whoever stops reading before the end."""
        pieces: list[Piece] = []
        while self._begun and (piece := self._take()) is not None:
            pieces.append(piece)
        self.close()
        return pieces

    def close(self) -> None:
        """What still comes of it is dropped."""
        self._closed = True
        if self._buffer is not None:
            self._protocol.buffers.give(self._buffer)
        self._buffer, self._lent, self._filled = None, None, 0
        self._parsed.clear()
        self._stop_timer()

    # -- for the protocol ---------------------------------------------------------------------------------------------

    def space(self) -> memoryview:
        """Where the next bytes go, never more of them than the body has."""
        if self._buffer is None:
            self._buffer = self._protocol.buffers.take()
        end = len(self._buffer) if self._left is None else min(len(self._buffer), self._filled + self._left)
        return memoryview(self._buffer)[self._filled : end]

    def came(self, count: int) -> None:
        """So many bytes were put there."""
        self._heard = time.monotonic()
        if self._left is not None:
            self._left -= count
        if not self._closed:
            self._filled += count
        if self._left == 0:
            self._protocol.end_of_diverted()  # which wakes whoever reads
        elif not self._closed:
            self._came(is_full=self._buffer is not None and self._filled == len(self._buffer))

    def parsed(self, piece: bytes) -> None:
        """The parser found these bytes."""
        self._heard = time.monotonic()
        if not self._closed:
            self._parsed.append(piece)
            self._came(is_full=sum(map(len, self._parsed)) >= LARGEST)

    def stop(self) -> None:
        """For whoever reads, the client is gone."""
        self._stopped = True
        self.wake()

    def wake(self) -> None:
        """Something has changed: it has ended, or the connection is gone."""
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._begun = True
        cycle = self._cycle
        if cycle.waiting_for_100_continue and not cycle.transport.is_closing():
            cycle.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            cycle.waiting_for_100_continue = False
        if cycle.body:
            self._parsed.append(bytes(cycle.body))
            self._due = True
            cycle.body = bytearray()
        if cycle.more_body and not cycle.disconnected:
            self._left = self._protocol.divert(self)
            self._protocol.flow.resume_reading()

    def _is_ready(self) -> bool:
        """There is a piece that is worth handing on, or nothing more will come."""
        return self._due or self._is_over()

    def _is_over(self) -> bool:
        return not self._cycle.more_body or self._cycle.disconnected or self._stopped

    async def _wait(self) -> None:
        self._reader = asyncio.get_running_loop().create_future()
        try:
            await self._reader
        finally:
            self._reader = None

    def _came(self, *, is_full: bool) -> None:
        if is_full:
            self._due = True
            self._protocol.flow.pause_reading()  # until it is taken
            self.wake()
        elif self._timer is None and not self._due:
            self._timer = asyncio.get_running_loop().call_later(TICK, self._tick)

    def _tick(self) -> None:
        self._timer, self._due = None, True
        self.wake()

    def _take(self) -> Piece | None:
        self._due = False
        self._stop_timer()
        if self._parsed:
            pieces, self._parsed = self._parsed, []
            self._due = bool(self._filled)
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if self._buffer is None or not self._filled:
            return None
        self._lent, filled = self._buffer, self._filled
        self._buffer, self._filled = None, 0
        now = time.monotonic()
        self._protocol.buffers.judge(filled, now - self._taken)
        self._taken = now
        return memoryview(self._lent)[:filled]

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Buffers:
    """Those of one connection: they begin small, and grow while its client fills them."""

    def __init__(self) -> None:
        self._size = SMALLEST
        self._free: list[bytearray] = []
        self._closed = False

    def take(self) -> bytearray:
        return self._free.pop() if self._free else bytearray(self._size)

    def give(self, buffer: bytearray) -> None:
        """It is not needed any more, by nobody."""
        if len(buffer) == self._size >= KEPT and not self._closed:
            self._free.append(buffer)

    def judge(self, filled: int, seconds: float) -> None:
        """Say how many bytes were in one when it was handed on, and how long after the one before."""
        size = self._size
        if filled >= size and 2 * seconds < TICK:
            self._size = min(LARGEST, 4 * size)
        elif filled < size // 4:
            self._size = max(SMALLEST, size // 4)
        if self._size != size:
            self._free.clear()

    def close(self) -> None:
        """Keep none: the connection is gone, and what is left of it may live on until garbage is collected."""
        self._closed = True
        self._free.clear()


class BodyProtocol(InterimProtocol):
    """`uvicorn.Config(http=BodyProtocol)`. One object to a connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(*args, **kwargs)
        self.buffers = Buffers()

    _body: Body | None = None
    """Of the newest request, once its application has asked for it."""
    _parsed = 0
    """Bytes of its body that the parser saw."""

    def on_headers_complete(self) -> None:
        before = self.cycle
        super().on_headers_complete()
        self._body, self._parsed = None, 0
        if self.cycle is not before:  # the application's task has been made, but could not run yet
            scope = cast(MutableMapping[str, Any], self.cycle.scope)
            scope.setdefault("extensions", {})[BODY] = Body(self, self.cycle)

    def on_body(self, body: bytes) -> None:
        self._parsed += len(body)
        if self._body is None:
            super().on_body(body)
        else:
            self._body.parsed(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self._body is not None:
            self._body.wake()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.buffers.close()
        if self._body is not None:
            self._body.wake()

    def shutdown(self) -> None:
        """The server is told to end: an upload, which may take hours, goes on with the next one."""
        super().shutdown()
        if self._body is not None:
            self._body.stop()

    def divert(self, body: Body) -> int | None:
        """From now on what comes goes to `body`, which is the newest request's and unfinished. Gives how many bytes do so
        past the parser; None where only it can tell where the body ends (RFC 9112 section 6.3)."""
        self._body = body
        length = _content_length(self.scope["headers"])
        if length is None:
            return None
        self.transport.set_protocol(_Diversion(self, body))
        return length - self._parsed

    def end_of_diverted(self) -> None:
        """The last byte of a body came past the parser, which still waits for it."""
        self.new_parser()
        self.transport.set_protocol(self)
        self.on_message_complete()


class _Diversion(asyncio.BufferedProtocol):
    """Has the connection while a body comes."""

    def __init__(self, http: BodyProtocol, body: Body) -> None:
        self._http, self._body = http, body

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._body.space()

    def buffer_updated(self, nbytes: int) -> None:
        self._body.came(nbytes)

    def eof_received(self) -> None:
        self._http.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._http.connection_lost(exc)

    def pause_writing(self) -> None:
        self._http.pause_writing()

    def resume_writing(self) -> None:
        self._http.resume_writing()


def _content_length(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """The parser has seen to it that there is one at most, that it is a number, and that nothing contradicts it."""
    found = dict(headers)
    return None if b"transfer-encoding" in found else int(found.get(b"content-length", b"0"))
