"""How much of the origin's memory slow readers may hold."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.responses import Response
from starlette.types import Message

from rushes.api.lending import SMALL, Lending, Lent
from rushes.api.negotiation import Wanted
from rushes.api.origin_address import Address
from rushes.api.origin_exchange import Exchange
from rushes.api.origin_store import OriginStore
from rushes.api.shelf import OVERHEAD, Flights, Kept, load
from rushes.clock import ManualClock
from rushes.settings import Settings
from rushes.storage.memory import MemoryStore
from rushes.storage.store import IMMUTABLE, Headers

SIZE = SMALL + 1


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(ManualClock())


def kept(store: MemoryStore, name: str, size: int = SIZE) -> Kept:
    store.put_bytes(f"media/x/t/r/1/v/{name}.m4s", bytes(size), Headers("video/iso.segment", IMMUTABLE))
    found = load(store, f"media/x/t/r/1/v/{name}.m4s", 10**7)
    assert found is not None
    return found


def test_an_object_counts_once_until_its_last_reader_has_gone(store: MemoryStore) -> None:
    one, other, small = kept(store, "a"), kept(store, "b"), kept(store, "c", 10)
    lending = Lending(SIZE + OVERHEAD)
    with lending.out(one):
        with lending.out(one):
            pass
        assert [lending.has_room(it) for it in (one, other, small)] == [True, False, True]
    assert lending.has_room(other)


async def slowly(response: Any, gate: asyncio.Event) -> None:
    """As uvicorn does: what was given is kept, and nothing more is taken before that has gone."""
    waits = False

    async def send(message: Message) -> None:
        nonlocal waits
        if waits:
            await gate.wait()
        waits = message["type"] == "http.response.body"

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    await response({"type": "http", "method": "GET"}, receive, send)


@pytest.mark.parametrize("asked", [None, "bytes=1-", "bytes=0-9,5000-"])
async def test_what_slow_readers_hold_is_bounded(store: MemoryStore, asked: str | None) -> None:
    names = [f"0000{number}" for number in range(4)]
    for name in names:
        kept(store, name)
    limit = 16 * (SIZE + OVERHEAD)  # what the shelf takes of one object is a sixteenth
    settings, clock = Settings(origin_cache=limit), ManualClock()
    origin = OriginStore(store, settings, clock, Flights())
    origin._lending = Lending(2 * (SIZE + OVERHEAD))

    async def ask(name: str) -> Any:
        key = f"media/x/t/r/1/v/{name}.m4s"
        return await origin.answer(Exchange(Address("media", "", "x", key), Wanted(range=asked), "", 0.0))

    gate = asyncio.Event()
    readers = []
    for name in names[:2]:
        readers.append(asyncio.create_task(slowly(await ask(name), gate)))
        await asyncio.sleep(0)
    third, again = await ask(names[2]), await ask(names[0])
    assert isinstance(third, Response)
    assert isinstance(again, Lent)
    gate.set()
    await asyncio.gather(*readers)
    assert isinstance(await ask(names[2]), Lent)
