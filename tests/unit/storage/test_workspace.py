from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rushes.storage.memory import MemoryStore
from rushes.storage.store import IMMUTABLE, Headers, ObjectInfo, ObjectMissing, StoreError
from rushes.storage.workspace import AT_ONCE, Workspace


class Together(MemoryStore):
    """A put is done when `AT_ONCE` of them are under way."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Barrier(AT_ONCE)
        self.done = itertools.count()
        self.finished = 0

    def put_bytes(self, key: str, data: bytes, headers: Headers = Headers()) -> ObjectInfo:  # noqa: B008
        self.gate.wait(10)
        info = super().put_bytes(key, data, headers)
        self.finished = next(self.done) + 1
        return info


def test_many_are_stored_a_few_at_a_time(tmp_path: Path) -> None:
    store, total = Together(), 3 * AT_ONCE
    taken: list[int] = []

    def objects() -> Iterator[tuple[str, bytes, str]]:
        for number in range(total):
            assert len(taken) <= store.finished + AT_ONCE
            taken.append(number)
            yield f"a/{number:02d}.m4s", b"%d" % number, "video/iso.segment"

    Workspace(store, tmp_path).publish_all(objects())
    assert [store.read(each.key) for each in store.list("")] == [b"%d" % number for number in range(total)]
    assert store.head("a/00.m4s").cache_control == IMMUTABLE


def test_what_one_raises_is_raised_and_no_more_are_taken(tmp_path: Path) -> None:
    class Failing(MemoryStore):
        def put_bytes(self, key: str, data: bytes, headers: Headers = Headers()) -> ObjectInfo:  # noqa: B008
            raise StoreError("no")

    taken: list[int] = []

    def objects() -> Iterator[tuple[str, bytes, str]]:
        for number in range(100):
            taken.append(number)
            yield f"{number}", b"", "x/y"

    with pytest.raises(StoreError):
        Workspace(Failing(), tmp_path).publish_all(objects())
    assert len(taken) == AT_ONCE


class Plain:
    """A store without a copy of its own."""

    def __init__(self, store: MemoryStore) -> None:
        self.put_bytes, self.read = store.put_bytes, store.read


@pytest.mark.parametrize("copies", [True, False])
def test_many_are_stored_once_more(tmp_path: Path, copies: bool) -> None:
    store = MemoryStore()
    pairs = [(f"a/{number:02d}.m4s", f"b/{number:02d}.m4s") for number in range(3 * AT_ONCE)]
    for number, (key, _) in enumerate(pairs):
        store.put_bytes(key, b"x" * number)
    told: list[float] = []
    workspace = Workspace(store if copies else Plain(store), tmp_path, progress=told.append)  # type: ignore[arg-type]
    assert workspace.copy_all(pairs) == list(range(3 * AT_ONCE))
    assert all(store.read(copy) == store.read(key) for key, copy in pairs)
    found = store.head("b/00.m4s")
    assert (found.content_type, found.cache_control) == ("video/iso.segment", IMMUTABLE)
    assert told == sorted(told) and told[-1] == 1.0


def test_what_is_gone_cannot_be_stored_once_more(tmp_path: Path) -> None:
    with pytest.raises(ObjectMissing):
        Workspace(MemoryStore(), tmp_path).copy_all([("a", "b")])
