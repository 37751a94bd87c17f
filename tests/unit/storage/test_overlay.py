from __future__ import annotations

from pathlib import Path

import pytest

from rushes.storage.local import LocalStore
from rushes.storage.memory import MemoryStore
from rushes.storage.open import open_store
from rushes.storage.overlay import OverlayStore, overlay_url
from rushes.storage.store import ObjectMissing, ObjectStore


@pytest.fixture
def below() -> MemoryStore:
    store = MemoryStore()
    store.put_bytes("a/old", b"old")
    store.put_bytes("a/both", b"below")
    return store


@pytest.fixture
def overlay(below: MemoryStore) -> OverlayStore:
    return OverlayStore(MemoryStore(), below)


def keys(store: ObjectStore) -> list[str]:
    return [found.key for found in store.list("a/")]


def test_what_is_below_is_seen_and_what_is_on_top_goes_before_it(overlay: OverlayStore, tmp_path: Path) -> None:
    overlay.put_bytes("a/both", b"top")
    overlay.put_bytes("a/new", b"new")
    assert [overlay.read(key) for key in ("a/old", "a/both", "a/new")] == [b"old", b"top", b"new"]
    assert keys(overlay) == ["a/both", "a/new", "a/old"]
    assert overlay.localize("a/old", tmp_path).read_bytes() == b"old"
    assert overlay.head("a/both").size == 3
    with overlay.open("a/both", 1) as stream:
        assert stream.read() == b"op"
    with overlay.fetch("a/new").stream as stream:
        assert stream.read() == b"new"


def test_nothing_is_written_or_deleted_below(overlay: OverlayStore, below: MemoryStore, tmp_path: Path) -> None:
    before = {key: below.read(key) for key in keys(below)}
    overlay.put_bytes("a/both", b"top")
    (tmp_path / "file").write_bytes(b"file")
    overlay.put_file("a/file", tmp_path / "file")
    overlay.delete("a/old")
    overlay.delete("a/both")
    assert keys(overlay) == ["a/file"]
    with pytest.raises(ObjectMissing):
        overlay.read("a/old")
    overlay.put_bytes("a/old", b"again")
    assert overlay.read("a/old") == b"again"
    assert {key: below.read(key) for key in keys(below)} == before


def test_its_address_says_both(tmp_path: Path) -> None:
    below = LocalStore(tmp_path / "below")
    below.put_bytes("x", b"1")
    store = open_store(overlay_url(tmp_path / "top", f"file://{tmp_path / 'below'}"))
    store.put_bytes("y", b"2")
    assert (store.read("x"), store.read("y")) == (b"1", b"2")
    assert [found.key for found in below.list("")] == ["x"]
