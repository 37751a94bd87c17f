"""The contract of an upload store (`rushes.ingest.store`), over every store there is."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from rushes.ingest.local import LocalUploadStore, Sync
from rushes.ingest.memory import MemoryUploadStore
from rushes.ingest.s3 import S3UploadStore
from rushes.ingest.store import Appender, StoreFull, UploadBusy, UploadMissing, UploadStore
from rushes.keys import new_id
from rushes.storage.bucket import Bucket
from rushes.storage.local import LocalStore
from rushes.storage.s3 import S3Store
from rushes.storage.store import ObjectStore, StoreError
from tests.services.process import S3Service

ID = new_id(1_750_000_000.0, 1)
OTHER = new_id(1_750_000_000.0, 2)
KEY = "sources/default/asset/1"

Both = tuple[UploadStore, ObjectStore]
PART = 5 * 2**20
"""Bytes; the smallest part that S3 takes."""


def local(tmp_path: Path, sync: Sync = "commit") -> Both:
    return LocalUploadStore(tmp_path / "uploads", sync=sync), LocalStore(tmp_path / "objects")


def remote(service: S3Service) -> Both:
    bucket = Bucket.parse(service.url(service.bucket(), "some/prefix"))
    return S3UploadStore(bucket, smallest_part=PART, save_every=0.0), S3Store(bucket)


@pytest.fixture(params=["local", "local-unsynced", "memory", "swift", "moto"])
def both(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Both:
    """A store of uploads and the store of objects that goes with it."""
    if request.param == "memory":
        return MemoryUploadStore(), LocalStore(tmp_path / "objects")
    if request.param in ("swift", "moto"):
        service: S3Service = request.getfixturevalue(request.param)
        for name, value in service.environment.items():
            monkeypatch.setenv(name, value)
        return remote(service)
    return local(tmp_path, "commit" if request.param == "local" else "never")


@pytest.fixture
def store(both: Both) -> UploadStore:
    return both[0]


@pytest.fixture
def objects(both: Both) -> ObjectStore:
    return both[1]


@pytest.fixture(params=["local", "memory"])
def small_store(request: pytest.FixtureRequest, tmp_path: Path) -> UploadStore:
    """Has room for a thousand bytes, or a little less."""
    if request.param == "memory":
        return MemoryUploadStore(capacity=1000)
    whole = LocalUploadStore(tmp_path / "uploads").free()
    return LocalUploadStore(tmp_path / "uploads", reserve=whole + 2**40)


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


def ids(store: UploadStore) -> list[str]:
    return [name for name, _ in store.list()]


def test_keeps_the_protocol(store: UploadStore) -> None:
    store.create(ID, KEY, 3)
    appender = store.append(ID)
    assert isinstance(store, UploadStore)
    assert isinstance(appender, Appender)
    appender.close()


def test_a_new_upload_has_no_bytes(store: UploadStore) -> None:
    before = time.time()
    store.create(ID, KEY, 3)
    assert store.stat(ID).size == 0
    assert before - 2 < store.stat(ID).modified < before + 60
    assert list(store.list()) == [(ID, store.stat(ID))]


def test_uploads_are_listed_with_what_they_have(store: UploadStore) -> None:
    store.create(ID, KEY, 3)
    store.create(OTHER, "sources/default/asset/2", 3)
    append(store, b"ab")
    append(store, b"c")
    assert {name: stored.size for name, stored in store.list()} == {ID: 3, OTHER: 0}


def test_creating_again_keeps_the_bytes(store: UploadStore) -> None:
    store.create(ID, KEY, 5)
    append(store, b"abc")
    store.create(ID, KEY, 5)
    assert store.stat(ID).size == 3


def test_pieces_are_appended_in_order(store: UploadStore, objects: ObjectStore) -> None:
    store.create(ID, KEY, 6)
    assert append(store, b"ab", b"", b"c") == 3
    assert append(store, b"def") == 6
    assert store.stat(ID).size == 6
    assert content(store, objects) == b"abcdef"


def test_appending_nothing_changes_nothing(store: UploadStore) -> None:
    store.create(ID, KEY, 6)
    append(store, b"abc")
    assert append(store, b"") == 3
    assert append(store) == store.stat(ID).size == 3


def test_more_pieces_than_one_system_call_takes(store: UploadStore, objects: ObjectStore) -> None:
    pieces = [bytes([index % 251]) * (index % 7) for index in range(3000)]
    store.create(ID, KEY, len(b"".join(pieces)))
    append(store, *pieces)
    assert content(store, objects) == b"".join(pieces)


def test_a_large_upload_in_uneven_pieces(store: UploadStore, objects: ObjectStore) -> None:
    data = random.Random(1).randbytes(2 * PART + 12345)
    store.create(ID, KEY, len(data))
    at = 0
    for size in (1, PART - 1, 3, PART, 7, len(data)):  # up to a part, onto its end, over it
        at = append(store, data[at : at + size])
        assert store.stat(ID).size == at
    assert content(store, objects) == data
    assert objects.head(KEY).size == len(data)


def test_an_upload_of_exactly_some_parts(store: UploadStore, objects: ObjectStore) -> None:
    data = random.Random(2).randbytes(2 * PART)
    store.create(ID, KEY, len(data))
    assert append(store, data[:PART], data[PART:]) == len(data)
    assert content(store, objects) == data


def test_bytes_count_before_they_are_committed_but_are_not_told_of_before_they_are_safe(store: UploadStore) -> None:
    store.create(ID, KEY, 5)
    appender = store.append(ID)
    appender.write([b"abc"])
    assert appender.size == 3
    assert store.stat(ID).size <= 3
    appender.commit()
    assert store.stat(ID).size == 3
    appender.close()


def test_what_was_written_can_be_taken_back(store: UploadStore, objects: ObjectStore) -> None:
    store.create(ID, KEY, 3)
    append(store, b"ab")
    appender = store.append(ID)
    appender.write([b"cdef"])
    appender.rollback()
    assert appender.size == 2
    appender.write([b"X"])
    assert appender.commit() == 3
    appender.close()
    assert content(store, objects) == b"abX"


def test_whole_parts_can_be_taken_back_too(store: UploadStore, objects: ObjectStore) -> None:
    data = random.Random(3).randbytes(2 * PART)
    store.create(ID, KEY, len(data))
    append(store, data[:10])
    appender = store.append(ID)
    appender.write([bytes(PART), bytes(PART - 20)])
    appender.write([bytes(20)])
    appender.rollback()
    assert appender.commit() == 10
    appender.close()
    assert store.stat(ID).size == 10
    append(store, data[10:])
    assert content(store, objects) == data


def test_one_appender_at_a_time(store: UploadStore) -> None:
    store.create(ID, KEY, 3)
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
    store.create(ID, KEY, 3)
    append(store, b"ab")
    store.remove(ID)
    store.remove(ID)
    assert ids(store) == []
    with pytest.raises(UploadMissing):
        store.stat(ID)


def test_hand_over_may_be_repeated(store: UploadStore, objects: ObjectStore) -> None:
    # Given a hand-over whose process died before anybody learned of it
    store.create(ID, KEY, 3)
    append(store, b"abc")
    store.hand_over(ID, objects, KEY)
    # When it is done again / Then the object is as it was, also after the bytes are gone
    store.hand_over(ID, objects, KEY)
    store.remove(ID)
    store.hand_over(ID, objects, KEY)
    assert objects.read(KEY) == b"abc"


def test_an_empty_upload_can_be_handed_over(store: UploadStore, objects: ObjectStore) -> None:
    store.create(ID, KEY, 0)
    assert content(store, objects) == b""
    store.remove(ID)
    assert objects.read(KEY) == b""


def test_a_sweep_leaves_living_uploads_alone(store: UploadStore, objects: ObjectStore) -> None:
    store.create(ID, KEY, 6)
    append(store, b"abc")
    assert store.sweep(time.time() + 60) == 0
    append(store, b"def")
    assert content(store, objects) == b"abcdef"


def test_a_full_store_says_so_and_the_offset_stays_true(small_store: UploadStore) -> None:
    small_store.create(ID, KEY, 2000)
    with pytest.raises(StoreFull) as caught:
        append(small_store, b"x" * 2000)
    assert caught.value.status == 507
    left = append(small_store, b"")
    assert left == small_store.stat(ID).size <= 1000


# -- the store in a bucket alone --------------------------------------------------------------------------------------


@pytest.fixture
def bucket(s3: S3Service) -> Bucket:
    return Bucket.parse(s3.url(s3.bucket(), "videos"))


def test_nothing_but_the_object_stays_in_the_bucket(bucket: Bucket) -> None:
    store = S3UploadStore(bucket, smallest_part=PART)
    store.create(ID, KEY, PART + 1)
    append(store, bytes(PART + 1))
    store.hand_over(ID, S3Store(bucket), KEY)
    store.remove(ID)
    assert [found["Key"] for found in bucket.list("")] == [KEY]
    assert list(bucket.uploads("")) == []


def test_removing_ends_the_multipart_upload(bucket: Bucket) -> None:
    store = S3UploadStore(bucket, smallest_part=PART)
    store.create(ID, KEY, PART + 1)
    append(store, bytes(PART))
    store.remove(ID)
    assert list(bucket.list("")) == []
    assert list(bucket.uploads("")) == []


def test_a_sweep_ends_multipart_uploads_that_nothing_names_once_they_are_old(bucket: Bucket) -> None:
    store = S3UploadStore(bucket, smallest_part=PART)
    store.create(ID, KEY, PART + 1)
    bucket.start("sources/default/orphan/1")
    bucket.start("media/of/others/1")
    assert store.sweep(time.time() - 3600) == 0
    assert store.sweep(time.time() + 3600) == 1
    assert sorted(found["Key"] for found in bucket.uploads("")) == ["media/of/others/1", KEY]


def test_a_part_of_other_bytes_is_refused_by_the_store_itself(bucket: Bucket) -> None:
    # Given a part that is replaced after we looked whether it is right
    multipart = bucket.start(KEY)
    part = bucket.upload_part(KEY, multipart, 1, b"right")
    bucket.upload_part(KEY, multipart, 1, b"wrong")
    # When the upload is completed / Then it is not
    with pytest.raises(StoreError):
        bucket.complete(KEY, multipart, [part])


def test_an_upload_whose_multipart_upload_was_ended_by_others_is_missing(bucket: Bucket) -> None:
    store = S3UploadStore(bucket, smallest_part=PART)
    store.create(ID, KEY, PART + 1)
    (found,) = bucket.uploads("")
    bucket.abort(KEY, found["UploadId"])
    with pytest.raises(UploadMissing):
        append(store, bytes(PART + 1))


# -- the local store alone --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../escape", "a/b", "", ".", "u" * 26, ID.upper()])
def test_names_that_are_not_ids_reach_no_file(tmp_path: Path, name: str) -> None:
    store = LocalUploadStore(tmp_path / "uploads")
    with pytest.raises(UploadMissing):
        store.create(name, KEY, 3)
    with pytest.raises(UploadMissing):
        store.stat(name)


def test_the_source_is_renamed_not_copied(tmp_path: Path) -> None:
    store, objects = LocalUploadStore(tmp_path / "uploads"), LocalStore(tmp_path / "objects")
    store.create(ID, KEY, 3)
    append(store, b"abc")
    before = (tmp_path / "uploads" / ID).stat().st_ino
    store.hand_over(ID, objects, KEY)
    assert (tmp_path / "objects" / KEY).stat().st_ino == before
    assert ids(store) == []


def test_a_store_that_cannot_adopt_gets_the_file_by_put(tmp_path: Path) -> None:
    class Plain:
        """An ObjectStore without Adopt: what a remote one is."""

        def put_file(self, key: str, path: Path) -> None:
            self.got = (key, path.read_bytes())

    store, objects = LocalUploadStore(tmp_path / "uploads"), Plain()
    store.create(ID, KEY, 3)
    append(store, b"abc")
    store.hand_over(ID, objects, KEY)  # type: ignore[arg-type] # put_file is all that is used
    assert objects.got == (KEY, b"abc")
    assert store.stat(ID).size == 3  # kept until the catalog knows the source


def test_committing_reaches_the_disk_only_where_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    for sync, calls in (("commit", 1), ("never", 0)):
        store = LocalUploadStore(tmp_path / sync, sync=sync)  # type: ignore[arg-type] # both are of the literal's values
        store.create(ID, KEY, 3)
        synced.clear()
        append(store, b"abc")
        assert len(synced) == calls


def test_the_offset_is_told_only_of_bytes_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given bytes that a killed process left in the page cache
    store = LocalUploadStore(tmp_path)
    store.create(ID, KEY, 3)
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
    store.create(ID, KEY, 3)
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
    store.create(ID, KEY, 3)
    with pytest.raises(StoreFull):
        append(store, b"abcdefgh")
    assert store.stat(ID).size == 4
