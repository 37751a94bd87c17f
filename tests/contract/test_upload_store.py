"""The contract of an upload store (`rushes.ingest.store`), over every store there is."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rushes.ingest.local import LocalUploadStore
from rushes.ingest.memory import MemoryUploadStore
from rushes.ingest.store import Appender, StoreFull, UploadBusy, UploadMissing, UploadStore
from rushes.keys import new_id
from rushes.storage.local import LocalStore
from rushes.storage.store import ObjectStore

ID = new_id(1_750_000_000.0, 1)
OTHER = new_id(1_750_000_000.0, 2)
KEY = "sources/default/asset/1"

Make = Callable[[], UploadStore]


@pytest.fixture(params=["local", "local-unsynced", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> UploadStore:
    if request.param == "memory":
        return MemoryUploadStore()
    return LocalUploadStore(tmp_path / "uploads", sync="commit" if request.param == "local" else "never")


@pytest.fixture(params=["local", "memory"])
def small_store(request: pytest.FixtureRequest, tmp_path: Path) -> UploadStore:
    """Has room for a thousand bytes, or a little less."""
    if request.param == "memory":
        return MemoryUploadStore(capacity=1000)
    whole = LocalUploadStore(tmp_path / "uploads").free()
    return LocalUploadStore(tmp_path / "uploads", reserve=whole + 2**40)


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    return LocalStore(tmp_path / "objects")


def append(store: UploadStore, *pieces: bytes) -> int:
    appender = store.append(ID)
    try:
        appender.write(pieces)
        return appender.commit()
    finally:
        appender.close()


def content(store: UploadStore, objects: ObjectStore) -> bytes:
    store.hand_over(ID, objects, KEY)
    return objects.read(KEY)


def test_keeps_the_protocol(store: UploadStore) -> None:
    store.create(ID)
    appender = store.append(ID)
    assert isinstance(store, UploadStore)
    assert isinstance(appender, Appender)
    appender.close()


def test_a_new_upload_has_no_bytes(store: UploadStore) -> None:
    store.create(ID)
    assert store.stat(ID).size == 0
    assert list(store.list()) == [ID]


def test_creating_again_keeps_the_bytes(store: UploadStore) -> None:
    store.create(ID)
    append(store, b"abc")
    store.create(ID)
    assert store.stat(ID).size == 3


def test_pieces_are_appended_in_order(store: UploadStore, objects: ObjectStore) -> None:
    store.create(ID)
    assert append(store, b"ab", b"", b"c") == 3
    assert append(store, b"def") == 6
    assert store.stat(ID).size == 6
    assert content(store, objects) == b"abcdef"


def test_more_pieces_than_one_system_call_takes(store: UploadStore, objects: ObjectStore) -> None:
    pieces = [bytes([index % 251]) * (index % 7) for index in range(3000)]
    store.create(ID)
    append(store, *pieces)
    assert content(store, objects) == b"".join(pieces)


def test_bytes_count_before_they_are_committed(store: UploadStore) -> None:
    store.create(ID)
    appender = store.append(ID)
    appender.write([b"abc"])
    assert (appender.size, store.stat(ID).size) == (3, 3)
    appender.close()


def test_truncate_forgets_the_end_and_appending_goes_on_there(store: UploadStore, objects: ObjectStore) -> None:
    store.create(ID)
    appender = store.append(ID)
    appender.write([b"abcdef"])
    appender.truncate(2)
    appender.write([b"X"])
    assert appender.commit() == 3
    appender.close()
    assert content(store, objects) == b"abX"


def test_one_appender_at_a_time(store: UploadStore) -> None:
    store.create(ID)
    first = store.append(ID)
    with pytest.raises(UploadBusy):
        store.append(ID)
    first.close()
    store.append(ID).close()


def test_unknown_uploads_are_missing(store: UploadStore, objects: ObjectStore) -> None:
    for ask in (store.stat, store.append):
        with pytest.raises(UploadMissing):
            ask(OTHER)
    with pytest.raises(UploadMissing):
        store.hand_over(OTHER, objects, KEY)


def test_removing_is_final_and_may_be_repeated(store: UploadStore) -> None:
    store.create(ID)
    store.remove(ID)
    store.remove(ID)
    assert list(store.list()) == []
    with pytest.raises(UploadMissing):
        store.stat(ID)


def test_hand_over_may_be_repeated_after_the_bytes_are_gone(store: UploadStore, objects: ObjectStore) -> None:
    # Given a hand-over whose process died before anybody learned of it
    store.create(ID)
    append(store, b"abc")
    store.hand_over(ID, objects, KEY)
    store.remove(ID)
    # When it is done again
    store.hand_over(ID, objects, KEY)
    # Then the object is as it was
    assert objects.read(KEY) == b"abc"


def test_an_empty_upload_can_be_handed_over(store: UploadStore, objects: ObjectStore) -> None:
    store.create(ID)
    assert content(store, objects) == b""


def test_a_full_store_says_so_and_the_offset_stays_true(small_store: UploadStore) -> None:
    small_store.create(ID)
    with pytest.raises(StoreFull) as caught:
        append(small_store, b"x" * 2000)
    assert caught.value.status == 507
    left = append(small_store, b"")
    assert left == small_store.stat(ID).size <= 1000


# -- the local store alone --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../escape", "a/b", "", ".", "u" * 26, ID.upper()])
def test_names_that_are_not_ids_reach_no_file(tmp_path: Path, name: str) -> None:
    store = LocalUploadStore(tmp_path / "uploads")
    with pytest.raises(UploadMissing):
        store.create(name)
    with pytest.raises(UploadMissing):
        store.stat(name)


def test_the_source_is_renamed_not_copied(tmp_path: Path) -> None:
    store, objects = LocalUploadStore(tmp_path / "uploads"), LocalStore(tmp_path / "objects")
    store.create(ID)
    append(store, b"abc")
    before = (tmp_path / "uploads" / ID).stat().st_ino
    store.hand_over(ID, objects, KEY)
    assert (tmp_path / "objects" / KEY).stat().st_ino == before
    assert list(store.list()) == []


def test_a_store_that_cannot_adopt_gets_the_file_by_put(tmp_path: Path) -> None:
    class Plain:
        """An ObjectStore without Adopt: what a remote one is."""

        def put_file(self, key: str, path: Path) -> None:
            self.got = (key, path.read_bytes())

    store, objects = LocalUploadStore(tmp_path / "uploads"), Plain()
    store.create(ID)
    append(store, b"abc")
    store.hand_over(ID, objects, KEY)  # type: ignore[arg-type] # put_file is all that is used
    assert objects.got == (KEY, b"abc")
    assert store.stat(ID).size == 3  # kept until the catalog knows the source


def test_committing_reaches_the_disk_only_where_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    for sync, calls in (("commit", 1), ("never", 0)):
        store = LocalUploadStore(tmp_path / sync, sync=sync)  # type: ignore[arg-type] # both are of the literal's values
        store.create(ID)
        synced.clear()
        append(store, b"abc")
        assert len(synced) == calls


def test_the_offset_is_told_only_of_bytes_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given bytes that a killed process left in the page cache
    store = LocalUploadStore(tmp_path)
    store.create(ID)
    (tmp_path / ID).write_bytes(b"abc")
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    # When a client asks / Then they are made safe before the answer
    assert store.stat(ID).size == 3
    assert len(synced) == 1


def test_a_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.writev
    monkeypatch.setattr(os, "writev", lambda fd, pieces: real(fd, [pieces[0][:2]]))
    store, objects = LocalUploadStore(tmp_path / "uploads"), LocalStore(tmp_path / "objects")
    store.create(ID)
    append(store, b"abcde", b"fgh")
    assert content(store, objects) == b"abcdefgh"


def test_a_disk_that_fills_in_the_middle_keeps_what_fitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = os.writev, []

    def writev(descriptor: int, pieces: list[memoryview]) -> int:
        calls.append(1)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return real(descriptor, [pieces[0][:4]])

    monkeypatch.setattr(os, "writev", writev)
    store = LocalUploadStore(tmp_path)
    store.create(ID)
    with pytest.raises(StoreFull):
        append(store, b"abcdefgh")
    assert store.stat(ID).size == 4
