from __future__ import annotations

from pathlib import Path

import pytest

from rushes.storage.memory import MemoryStore
from rushes.storage.sparse import PIECE, SparseCopy
from rushes.storage.store import ObjectMissing, StoreError

DATA = bytes(range(1, 251)) * 100_000


@pytest.fixture
def store() -> MemoryStore:
    found = MemoryStore()
    found.put_bytes("a/b", DATA)
    return found


def test_what_is_fetched_lies_in_its_place_and_the_rest_is_empty(store: MemoryStore, tmp_path: Path) -> None:
    copy = SparseCopy(store, "a/b", tmp_path / "copy")
    copy.fetch([range(1000, 3000), range(20_000_000, 20_000_500)])
    found = copy.path.read_bytes()
    assert len(found) == copy.size == len(DATA)
    assert copy.fetched == 2500
    assert found[1000:3000] == DATA[1000:3000]
    assert found[20_000_000:20_000_500] == DATA[20_000_000:20_000_500]
    assert not any(found[:1000]) and not any(found[3000:20_000_000])
    assert copy.path.stat().st_blocks * 512 < len(DATA) / 10


def test_long_spans_are_asked_for_in_pieces(store: MemoryStore, tmp_path: Path) -> None:
    copy = SparseCopy(store, "a/b", tmp_path / "copy")
    copy.fetch([range(len(DATA) + 500)])
    assert copy.fetched == len(DATA) > 2 * PIECE
    assert copy.path.read_bytes() == DATA


def test_what_lies_behind_the_end_is_left_out(store: MemoryStore, tmp_path: Path) -> None:
    copy = SparseCopy(store, "a/b", tmp_path / "copy")
    copy.fetch([range(len(DATA) - 10, len(DATA) + 10), range(len(DATA) + 10, len(DATA) + 20)])
    assert copy.fetched == 10


def test_an_object_that_is_replaced_is_noticed(store: MemoryStore, tmp_path: Path) -> None:
    copy = SparseCopy(store, "a/b", tmp_path / "copy")
    store.put_bytes("a/b", DATA[1:] + b"x")
    with pytest.raises(StoreError, match="replaced"):
        copy.fetch([range(100)])


def test_without_an_object_there_is_no_copy(store: MemoryStore, tmp_path: Path) -> None:
    with pytest.raises(ObjectMissing):
        SparseCopy(store, "a/c", tmp_path / "copy")
