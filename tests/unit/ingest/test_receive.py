"""How a body reaches the store, with a store that shows what is asked of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence

import pytest
from starlette.requests import ClientDisconnect

from rushes.ingest.hold import Hold
from rushes.ingest.protocol import ProtocolError
from rushes.ingest.receive import BUFFER, receive
from rushes.ingest.store import StoreFull


class Spy:
    """An appender in memory that remembers the size of each write and can be made to fail or to wait."""

    def __init__(self, start: bytes = b"", capacity: int = 2**40) -> None:
        self.data, self.capacity = bytearray(start), capacity
        self.start = len(start)
        self.writes: list[int] = []
        self.committed = 0
        self.closed = False
        self.gate = threading.Event()
        self.gate.set()
        self.at_once = 0

    @property
    def size(self) -> int:
        return len(self.data)

    def write(self, pieces: Sequence[bytes]) -> None:
        assert not self.closed, "written to after it was closed"
        self.at_once += 1
        assert self.at_once == 1, "two writes at once"
        self.gate.wait(10)
        before = len(self.data)
        for piece in pieces:
            room = self.capacity - len(self.data)
            self.data += piece[:room]
            if len(piece) > room:
                self.at_once -= 1
                raise StoreFull
        self.writes.append(len(self.data) - before)
        self.at_once -= 1

    def rollback(self) -> None:
        del self.data[self.start :]

    def commit(self) -> int:
        self.committed = len(self.data)
        return self.committed

    def close(self) -> None:
        self.closed = True


async def body(*pieces: bytes, error: Exception | None = None) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
        await asyncio.sleep(0)
    if error:
        raise error


async def test_all_bytes_in_order_and_committed() -> None:
    spy = Spy(b"ab")
    assert await receive(body(b"cd", b"", b"ef"), spy, 10, Hold()) == 6
    assert bytes(spy.data) == b"abcdef"
    assert (spy.committed, spy.closed) == (6, True)


async def test_many_small_pieces_become_few_writes() -> None:
    piece = bytes(64 * 1024)
    count = 5 * BUFFER // len(piece)
    spy = Spy()
    assert await receive(body(*[piece] * count), spy, 10 * BUFFER, Hold()) == 5 * BUFFER
    assert len(spy.writes) <= 6


async def test_order_holds_when_the_store_is_slow() -> None:
    # Given pieces that differ, and a store whose first write hangs for a while
    pieces = [bytes([index]) * (BUFFER // 2) for index in range(9)]
    spy = Spy()
    spy.gate.clear()
    asyncio.get_running_loop().call_later(0.6, spy.gate.set)  # longer than two ticks
    # When all is received / Then nothing overtakes
    await receive(body(*pieces), spy, 10 * BUFFER, Hold())
    assert bytes(spy.data) == b"".join(pieces)


async def test_a_broken_connection_keeps_what_arrived() -> None:
    spy = Spy()
    assert await receive(body(b"abc", error=ClientDisconnect()), spy, 10, Hold()) == 3
    assert (bytes(spy.data), spy.committed, spy.closed) == (b"abc", 3, True)


async def test_an_interruption_keeps_what_arrived() -> None:
    hold, spy = Hold(), Spy()

    async def silent() -> AsyncIterator[bytes]:
        yield b"abc"
        hold.interrupt()
        await asyncio.Event().wait()

    assert await asyncio.wait_for(receive(silent(), spy, 10, hold), 5) == 3
    assert (bytes(spy.data), spy.closed) == (b"abc", True)


async def test_an_interruption_does_not_lose_a_write_in_flight() -> None:
    hold, spy = Hold(), Spy()
    spy.gate.clear()

    async def stream() -> AsyncIterator[bytes]:
        yield b"x" * BUFFER  # now a write hangs in the store
        asyncio.get_running_loop().call_later(0.05, hold.interrupt)
        asyncio.get_running_loop().call_later(0.2, spy.gate.set)
        yield b"y" * BUFFER  # this one waits for it, and is interrupted

    await asyncio.wait_for(receive(stream(), spy, 4 * BUFFER, hold), 5)
    assert bytes(spy.data) == b"x" * BUFFER + b"y" * BUFFER


async def test_a_cancelled_request_stores_and_closes_behind_its_back() -> None:
    spy, started = Spy(), asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"abc"
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(receive(endless(), spy, 10, Hold()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    while not spy.closed:
        await asyncio.sleep(0.01)
    assert bytes(spy.data) == b"abc"


async def test_a_longer_body_than_declared_is_refused_and_nothing_of_it_is_kept() -> None:
    spy = Spy(b"ab")
    with pytest.raises(ProtocolError) as caught:
        await receive(body(b"c" * BUFFER, b"d" * 10), spy, BUFFER + 5, Hold())
    assert caught.value.status == 413
    assert (bytes(spy.data), spy.closed) == (b"ab", True)


async def test_a_full_disk_ends_it_without_a_gap() -> None:
    # Given room for one and a half buffers
    spy = Spy(capacity=BUFFER * 3 // 2)
    pieces = [bytes([index]) * BUFFER for index in range(4)]
    # When four come
    with pytest.raises(StoreFull):
        await receive(body(*pieces), spy, 10 * BUFFER, Hold())
    # Then what is stored is the beginning of them
    assert bytes(spy.data) == b"".join(pieces)[: spy.capacity]
    assert spy.closed


async def test_a_buffer_that_does_not_fill_is_written_all_the_same() -> None:
    spy, go_on = Spy(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"abc"
        await go_on.wait()

    task = asyncio.create_task(receive(slow(), spy, 10, Hold()))
    while not spy.writes:
        await asyncio.sleep(0.01)
    assert bytes(spy.data) == b"abc"
    go_on.set()
    assert await task == 3


async def test_a_connection_that_stays_silent_is_given_up() -> None:
    hold, spy = Hold(), Spy()
    hold.heard -= 600

    async def nothing() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    assert await asyncio.wait_for(receive(nothing(), spy, 10, hold), 5) == 0
    assert hold.interrupted
