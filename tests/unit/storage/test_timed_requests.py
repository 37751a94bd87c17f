"""When an attempt asked its store for what, for who wants to know it."""

from __future__ import annotations

import pytest

from rushes.clock import ManualClock
from rushes.storage.memory import MemoryStore
from rushes.storage.store import ObjectMissing
from rushes.storage.timed import OPERATIONS, Timings, timed


def test_requests_of_a_sort_are_told_as_one() -> None:
    clock, timings = ManualClock(1000.0), Timings(requests={})
    store = timed(MemoryStore(), timings, clock)
    store.put_bytes("media/a", b"12345")
    clock.advance(5)
    store.put_bytes("media/b", b"123")
    assert store.read("media/b") == b"123"
    with pytest.raises(ObjectMissing):
        store.read("media/none")
    assert timings.requests is not None
    put, get = timings.requests["put"], timings.requests["get"]
    assert (put.began, put.ended, put.count, put.bytes, put.failed) == (1000.0, 1005.0, 2, 8, 0)
    assert (get.count, get.bytes, get.failed) == (2, 3, 0)  # what is not there is an answer
    for number in range(1000):
        store.put_bytes(f"media/{number}", b"")
    assert set(timings.requests) <= set(OPERATIONS.values())


def test_nobody_asks_nothing_is_kept() -> None:
    timings = Timings()
    timed(MemoryStore(), timings, ManualClock()).put_bytes("media/a", b"12345")
    assert timings.requests is None
