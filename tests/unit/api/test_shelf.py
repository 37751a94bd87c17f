import asyncio
import threading

import pytest

from rushes.api.shelf import OVERHEAD, SHARE, Flights, Kept, Shelf, load
from rushes.clock import ManualClock
from rushes.storage.memory import MemoryStore
from rushes.storage.store import IMMUTABLE, POINTER, Headers, ObjectMissing


def kept(store: MemoryStore, key: str, size: int = 1000) -> Kept:
    store.put_bytes(key, bytes(size), Headers("video/iso.segment", IMMUTABLE))
    found = load(store, key, 10**6)
    assert found is not None
    return found


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(ManualClock())


def test_what_was_not_asked_for_the_longest_goes_first(store: MemoryStore) -> None:
    shelf = Shelf(3 * (1000 + OVERHEAD))
    for name in ("a", "b", "c"):
        shelf.put(kept(store, f"media/x/t/r/1/v/{name}.m4s"))
    assert shelf.get("media/x/t/r/1/v/a.m4s")
    shelf.put(kept(store, "media/x/t/r/1/v/d.m4s"))
    there = [name for name in "abcd" if shelf.get(f"media/x/t/r/1/v/{name}.m4s")]
    assert there == ["a", "c", "d"]


def test_putting_again_costs_nothing(store: MemoryStore) -> None:
    shelf = Shelf(2 * (1000 + OVERHEAD))
    one = kept(store, "media/x/t/r/1/v/a.m4s")
    for _ in range(5):
        shelf.put(one)
    shelf.put(kept(store, "media/x/t/r/1/v/b.m4s"))
    assert shelf.get(one.info.key) is one
    assert shelf.largest == 2 * (1000 + OVERHEAD) // SHARE


def test_what_may_change_or_is_large_is_not_kept(store: MemoryStore) -> None:
    store.put_bytes("media/x/master.m3u8", b"#EXTM3U", Headers("application/vnd.apple.mpegurl", POINTER))
    assert load(store, "media/x/master.m3u8", 10**6) is None
    store.put_bytes("media/x/t/r/1/v/big.m4s", bytes(1001), Headers("video/iso.segment", IMMUTABLE))
    assert load(store, "media/x/t/r/1/v/big.m4s", 1000) is None
    with pytest.raises(ObjectMissing):
        load(store, "media/x/t/r/1/v/none.m4s", 1000)


async def test_one_piece_of_work_at_a_time_for_a_key() -> None:
    flights, gate, runs = Flights(), threading.Event(), []

    def work() -> int:
        gate.wait(30)
        runs.append(1)
        return 7

    waiting = [asyncio.ensure_future(flights.run("a", work)) for _ in range(20)]
    waiting.append(asyncio.ensure_future(flights.run("b", work)))
    while len(asyncio.all_tasks()) < 2 + len(waiting):
        await asyncio.sleep(0)
    waiting.pop(0).cancel()  # one who goes away takes nobody with them
    gate.set()
    assert await asyncio.gather(*waiting) == [7] * 20
    assert len(runs) == 2
    assert await flights.run("a", work) == 7
    assert len(runs) == 3


async def test_all_hear_of_a_failure_and_the_next_tries_again() -> None:
    flights = Flights()

    def fail() -> int:
        raise ObjectMissing("a")

    results = await asyncio.gather(*(flights.run("a", fail) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [ObjectMissing] * 3
    assert await flights.run("a", lambda: 1) == 1
