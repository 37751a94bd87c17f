"""How a body reaches the store, with a store that shows what is asked of it."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
from starlette.requests import ClientDisconnect

from rushes.errors import Refused
from rushes.ingest.checksum import Check, ChecksumMismatch, hasher
from rushes.ingest.hold import Hold, Locked, Source
from rushes.ingest.receive import Received, receive
from rushes.ingest.requests import TooLong
from rushes.ingest.store import Piece, StoreFull

BUFFER = 64 * 1024
"""Bytes of a piece."""


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
        self.cheap: Callable[[int], bool] = lambda size: True

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
        self.committed = self.start = len(self.data)
        return self.committed

    def commit_if_cheap(self) -> int | None:
        return self.commit() if self.cheap(len(self.data)) else None

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
    assert await receive(body(b"cd", b"", b"ef"), spy, 10, Hold()) == Received(6, whole=True)
    assert bytes(spy.data) == b"abcdef"
    assert (spy.committed, spy.closed) == (6, True)


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
    assert await receive(body(b"abc", error=ClientDisconnect()), spy, 10, Hold()) == Received(3, whole=False)
    assert (bytes(spy.data), spy.committed, spy.closed) == (b"abc", 3, True)


async def test_an_interruption_keeps_what_arrived() -> None:
    hold, spy = Hold(), Spy()

    async def silent() -> AsyncIterator[bytes]:
        yield b"abc"
        hold.interrupt()
        await asyncio.Event().wait()

    assert await asyncio.wait_for(receive(silent(), spy, 10, hold), 5) == Received(3, whole=False)
    assert (bytes(spy.data), spy.closed) == (b"abc", True)


class Gathered(Source):
    """A body that gathers what comes: two pieces were not asked for when it was interrupted."""

    def __init__(self, hold: Hold, spy: Spy) -> None:
        self._hold, self._spy = hold, spy
        self.left: list[bytes] = [b"y" * BUFFER, b"z"]

    @property
    def heard(self) -> float:
        return 0.0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._spy.gate.clear()
        asyncio.get_running_loop().call_later(0.05, self._hold.interrupt)
        asyncio.get_running_loop().call_later(0.2, self._spy.gate.set)
        yield b"x" * BUFFER  # now a write hangs in the store, and is interrupted

    def rest(self) -> list[Piece]:
        left, self.left = self.left, []
        return [*left]


async def test_an_interruption_loses_neither_the_write_in_flight_nor_what_came_meanwhile() -> None:
    hold, spy = Hold(), Spy()
    source = Gathered(hold, spy)
    hold.follow(source)
    received = await asyncio.wait_for(receive(source, spy, 4 * BUFFER, hold), 5)
    assert received == Received(2 * BUFFER + 1, whole=False)
    assert bytes(spy.data) == b"x" * BUFFER + b"y" * BUFFER + b"z"


async def test_what_came_beyond_the_length_before_an_interruption_is_refused_like_the_rest() -> None:
    hold, spy = Hold(), Spy()
    source = Gathered(hold, spy)
    hold.follow(source)
    received = await asyncio.wait_for(receive(source, spy, 2 * BUFFER, hold), 5)
    assert received == Received(0, whole=False)
    assert bytes(spy.data) == b""


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
    with pytest.raises(TooLong) as caught:
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


async def test_a_connection_that_stays_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rushes.ingest.receive.IDLE", 0.05)
    hold, spy = Hold(), Spy()
    hold.heard -= 600

    async def nothing() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    assert await asyncio.wait_for(receive(nothing(), spy, 10, hold), 5) == Received(0, whole=False)
    assert hold.interrupted


# -- with a checksum --------------------------------------------------------------------------------------------------


def check(data: bytes) -> Check:
    return Check.of({"sha1": hashlib.sha1(data, usedforsecurity=False).digest(), "crc32c": crc32c(data)})


def crc32c(data: bytes) -> bytes:
    made = hasher("crc32c")
    made.update(data)
    return made.digest()


async def test_a_body_that_has_its_checksum_is_kept() -> None:
    pieces = [bytes([index]) * (BUFFER // 2 + 1) for index in range(5)]
    spy = Spy(b"before")
    received = await receive(body(*pieces), spy, 10 * BUFFER, Hold(), check=check(b"".join(pieces)))
    assert received.whole
    assert bytes(spy.data) == b"before" + b"".join(pieces)
    assert spy.committed == len(spy.data)


async def test_a_body_with_another_checksum_is_forgotten() -> None:
    spy = Spy(b"before")
    with pytest.raises(ChecksumMismatch) as caught:
        await receive(body(b"x" * BUFFER, b"y"), spy, 10 * BUFFER, Hold(), check=check(b"something else"))
    assert caught.value.status == 460
    assert (bytes(spy.data), spy.committed, spy.closed) == (b"before", 6, True)


async def test_one_wrong_digest_of_several_is_enough() -> None:
    spy = Spy()
    both = Check.of({**check(b"abc").expected(), "sha256": bytes(32)})
    with pytest.raises(ChecksumMismatch):
        await receive(body(b"abc"), spy, 10, Hold(), check=both)
    assert bytes(spy.data) == b""


async def test_a_body_with_a_checksum_that_breaks_off_cannot_be_proven_and_is_forgotten() -> None:
    spy = Spy(b"ab")
    broken = body(b"c" * BUFFER, b"d", error=ClientDisconnect())
    received = await receive(broken, spy, 10 * BUFFER, Hold(), check=check(b"c" * BUFFER + b"d"))
    assert received == Received(2, whole=False)
    assert (bytes(spy.data), spy.closed) == (b"ab", True)


async def test_a_checksum_that_does_not_come_is_an_error_of_its_own() -> None:
    def missing() -> dict[str, bytes]:
        raise Refused("checksum_missing")

    spy = Spy()
    with pytest.raises(Refused) as caught:
        await receive(body(b"abc"), spy, 10, Hold(), check=Check(("sha1",), missing))
    assert (caught.value.code, bytes(spy.data), spy.closed) == ("checksum_missing", b"", True)


# -- telling ----------------------------------------------------------------------------------------------------------


async def test_who_wants_to_hear_is_told_of_safe_offsets_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rushes.ingest.receive.TELL_EVERY", 0.0)
    spy, heard = Spy(), []

    def told(offset: int) -> None:
        assert spy.committed >= offset
        heard.append(offset)

    received = await receive(body(*[bytes(BUFFER)] * 4), spy, 10 * BUFFER, Hold(), told=told)
    assert received == Received(4 * BUFFER, whole=True)
    assert heard == sorted(heard)
    assert set(heard) <= {BUFFER, 2 * BUFFER, 3 * BUFFER, 4 * BUFFER}
    assert heard


async def test_nothing_is_told_while_a_commit_would_cost_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rushes.ingest.receive.TELL_EVERY", 0.0)
    spy, heard = Spy(), list[int]()
    spy.cheap = lambda size: size == 3 * BUFFER
    await receive(body(*[bytes(BUFFER)] * 4), spy, 10 * BUFFER, Hold(), told=heard.append)
    assert heard == [3 * BUFFER]
    assert spy.committed == 4 * BUFFER


async def test_what_was_told_is_kept_even_where_the_rest_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rushes.ingest.receive.TELL_EVERY", 0.0)
    spy, heard = Spy(), []
    with pytest.raises(TooLong):
        await receive(body(*[bytes(BUFFER)] * 4), spy, 3 * BUFFER, Hold(), told=heard.append)
    assert heard
    assert len(spy.data) >= heard[-1]


async def test_nothing_is_told_of_an_upload_that_is_no_longer_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rushes.ingest.receive.TELL_EVERY", 0.0)
    hold, heard = Hold(), []

    async def lost() -> bool:
        return False

    hold.is_mine = lost
    with pytest.raises(Locked):
        await receive(body(*[bytes(BUFFER)] * 4), Spy(), 10 * BUFFER, hold, told=heard.append)
    assert heard == []
