"""The contract of an upload store (`rushes.ingest.store`), over every store there is."""

from __future__ import annotations

import errno
import os
import random
import time
from pathlib import Path

import pytest

from rushes.ingest.local import LocalUploadStore, Sync
from rushes.ingest.memory import MemoryUploadStore
from rushes.ingest.s3 import S3UploadStore
from rushes.ingest.store import Appender, StoreFull, UploadBusy, UploadMissing, UploadStore
from rushes.keys import new_id, part_key
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


def append(store: UploadStore, *pieces: bytes, upload: str = ID, unproven: bool = False) -> int:
    appender = store.append(upload, unproven=unproven)
    try:
        appender.write(pieces)
        return appender.commit()
    finally:
        appender.close()


def part(store: UploadStore, number: int, data: bytes, *, length: bool = True) -> str:
    """A complete upload that others may be joined from."""
    name = new_id(1_750_000_000.0, 100 + number)
    store.create(name, part_key("default", name), len(data) if length else None)
    append(store, data, upload=name)
    return name


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


def test_taking_back_goes_no_further_than_the_last_commit(store: UploadStore, objects: ObjectStore) -> None:
    # Given bytes that a client has been told of, and more behind them
    store.create(ID, KEY, 6)
    appender = store.append(ID)
    appender.write([b"abc"])
    assert appender.commit() == 3
    appender.write([b"xyz"])
    # When these are taken back / Then those stay
    appender.rollback()
    assert appender.size == 3
    appender.write([b"def"])
    assert appender.commit() == 6
    appender.close()
    assert content(store, objects) == b"abcdef"


# -- lengths that become known later ----------------------------------------------------------------------------------


def test_the_length_may_become_known_at_any_time(store: UploadStore, objects: ObjectStore) -> None:
    store.create(ID, KEY, None)
    append(store, b"abc")
    store.declare(ID, 6)
    store.declare(ID, 6)
    assert store.stat(ID).size == 3
    assert append(store, b"def") == 6
    assert content(store, objects) == b"abcdef"


def test_an_upload_of_some_parts_whose_length_is_said_at_its_end(store: UploadStore, objects: ObjectStore) -> None:
    data = random.Random(4).randbytes(2 * PART + 999)
    store.create(ID, KEY, None)
    append(store, data[: PART + 5])
    append(store, data[PART + 5 :])
    store.declare(ID, len(data))
    assert store.stat(ID).size == len(data)
    assert content(store, objects) == data


def test_what_was_never_declared_is_handed_over_as_long_as_it_is(store: UploadStore, objects: ObjectStore) -> None:
    store.create(ID, KEY, None)
    append(store, b"abc")
    assert content(store, objects) == b"abc"


def test_a_length_cannot_be_said_of_what_is_not_there(store: UploadStore) -> None:
    with pytest.raises(UploadMissing):
        store.declare(OTHER, 3)


# -- bytes that must prove right --------------------------------------------------------------------------------------


def test_unproven_bytes_count_once_they_are_committed(store: UploadStore, objects: ObjectStore) -> None:
    store.create(ID, KEY, 9)
    append(store, b"abc")
    appender = store.append(ID, unproven=True)
    appender.write([b"de", b"f"])
    assert appender.size == 6
    assert store.stat(ID).size == 3
    assert appender.commit() == 6
    assert store.stat(ID).size == 6
    appender.close()
    assert append(store, b"ghi", unproven=True) == 9
    assert content(store, objects) == b"abcdefghi"


def test_unproven_bytes_that_are_taken_back_leave_no_trace(store: UploadStore, objects: ObjectStore) -> None:
    store.create(ID, KEY, 6)
    append(store, b"abc", unproven=True)
    appender = store.append(ID, unproven=True)
    appender.write([b"xyz"])
    appender.rollback()
    assert appender.commit() == 3
    appender.close()
    assert store.stat(ID).size == 3
    assert append(store, b"def") == 6
    assert content(store, objects) == b"abcdef"


def test_unproven_bytes_of_an_appender_that_is_just_closed_do_not_count(
    store: UploadStore, objects: ObjectStore
) -> None:
    store.create(ID, KEY, 6)
    append(store, b"abc")
    appender = store.append(ID, unproven=True)
    appender.write([b"xyz"])
    appender.close()
    assert store.stat(ID).size == 3
    assert append(store, b"def") == 6
    assert content(store, objects) == b"abcdef"


def test_whole_parts_of_unproven_bytes_are_taken_back_too(store: UploadStore, objects: ObjectStore) -> None:
    data = random.Random(5).randbytes(3 * PART)
    store.create(ID, KEY, len(data))
    append(store, data[:10], unproven=True)
    appender = store.append(ID, unproven=True)
    appender.write([bytes(PART), bytes(PART)])
    assert store.stat(ID).size == 10
    appender.rollback()
    assert appender.commit() == 10
    appender.close()
    assert append(store, data[10:], unproven=True) == len(data)
    assert content(store, objects) == data


# -- joining ----------------------------------------------------------------------------------------------------------


def test_an_upload_is_joined_from_others_which_keep_their_bytes(store: UploadStore, objects: ObjectStore) -> None:
    one, two = part(store, 1, b"abc"), part(store, 2, b"defgh")
    store.create(ID, KEY, None)
    assert store.join(ID, [one, two]) == 8
    assert store.stat(ID).size == 8
    assert content(store, objects) == b"abcdefgh"
    store.create(OTHER, "sources/default/asset/2", 11)
    assert store.join(OTHER, [two, one, one]) == 11
    store.hand_over(OTHER, objects, "sources/default/asset/2")
    assert objects.read("sources/default/asset/2") == b"defghabcabc"


def test_joining_may_be_repeated(store: UploadStore, objects: ObjectStore) -> None:
    one = part(store, 1, b"abc")
    store.create(ID, KEY, 3)
    assert store.join(ID, [one]) == 3
    assert store.join(ID, [one]) == 3
    assert content(store, objects) == b"abc"
    store.remove(ID)
    store.remove(one)
    assert ids(store) == []
    assert objects.read(KEY) == b"abc"


def test_large_parts_of_uneven_size_are_joined(store: UploadStore, objects: ObjectStore) -> None:
    data = random.Random(6).randbytes(4 * PART + 77)
    cuts = [0, PART + 3, PART + 4, 3 * PART, len(data)]
    names = [part(store, at, data[cuts[at] : cuts[at + 1]], length=at % 2 == 0) for at in range(4)]
    store.create(ID, KEY, len(data))
    assert store.join(ID, names) == len(data)
    assert content(store, objects) == data


def test_parts_of_nothing_are_joined_to_something(store: UploadStore, objects: ObjectStore) -> None:
    nothing, something = part(store, 1, b""), part(store, 2, b"abc")
    store.create(ID, KEY, 3)
    assert store.join(ID, [nothing, something, nothing]) == 3
    assert content(store, objects) == b"abc"


def test_parts_of_nothing_are_joined_to_nothing(store: UploadStore, objects: ObjectStore) -> None:
    store.create(ID, KEY, 0)
    assert store.join(ID, [part(store, 1, b"")]) == 0
    assert content(store, objects) == b""


def test_a_part_that_is_gone_is_named(store: UploadStore) -> None:
    one = part(store, 1, b"abc")
    store.create(ID, KEY, None)
    with pytest.raises(UploadMissing) as caught:
        store.join(ID, [one, OTHER])
    assert caught.value.args == (OTHER,)


def test_a_part_that_was_sent_with_checksums_is_joined_as_far_as_it_is_proven(
    store: UploadStore, objects: ObjectStore
) -> None:
    one = new_id(1_750_000_000.0, 50)
    store.create(one, part_key("default", one), 3)
    append(store, b"abc", upload=one, unproven=True)
    store.create(ID, KEY, 3)
    assert store.join(ID, [one]) == 3
    assert content(store, objects) == b"abc"


def test_a_full_store_does_not_join(small_store: UploadStore) -> None:
    one = new_id(1_750_000_000.0, 50)
    small_store.create(one, part_key("default", one), None)
    with pytest.raises(StoreFull):
        append(small_store, b"x" * 2000, upload=one)
    small_store.create(ID, KEY, None)
    size = small_store.stat(one).size
    if size:
        with pytest.raises(StoreFull):
            small_store.join(ID, [one] * 2)
    assert small_store.stat(one).size == size


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
    append(store, bytes(PART))
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
    append(store, bytes(PART))
    (found,) = bucket.uploads("")
    bucket.abort(KEY, found["UploadId"])
    with pytest.raises(UploadMissing):
        append(store, bytes(1))


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


def test_bytes_that_come_while_the_disk_is_waited_for_are_not_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an appender that goes on writing while others ask
    store = LocalUploadStore(tmp_path)
    store.create(ID, KEY, 9)
    file = tmp_path / ID
    file.write_bytes(b"abc")
    on_disk: list[int] = []

    def flush(_: int) -> None:
        on_disk.append(file.stat().st_size)
        with file.open("ab") as stream:
            stream.write(b"def")

    monkeypatch.setattr(os, "fdatasync", flush)
    # Then only what was there before is told of, and the rest once it is safe too
    for told in (3, 6):
        assert store.stat(ID).size == told
        assert on_disk[-1] == told


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


def test_a_killed_request_with_a_checksum_leaves_bytes_that_do_not_count(tmp_path: Path) -> None:
    # Given bytes behind those that are proven, as a killed process leaves them
    store, objects = LocalUploadStore(tmp_path / "uploads"), LocalStore(tmp_path / "objects")
    store.create(ID, KEY, 6)
    append(store, b"abc", unproven=True)
    with (tmp_path / "uploads" / ID).open("ab") as stream:
        stream.write(b"never proven")
    # Then they are not told of, not joined, and the next request writes in their place, with a checksum or without
    assert store.stat(ID).size == 3
    store.create(OTHER, KEY, None)
    assert store.join(OTHER, [ID, ID]) == 6
    store.append(ID, unproven=True).close()
    assert (tmp_path / "uploads" / ID).read_bytes() == b"abc"
    with (tmp_path / "uploads" / ID).open("ab") as stream:
        stream.write(b"never proven")
    assert append(store, b"def") == 6
    assert content(store, objects) == b"abcdef"
    store.remove(ID)
    assert sorted(path.name for path in (tmp_path / "uploads").iterdir()) == [OTHER]


def test_bytes_that_were_never_proven_do_not_become_part_of_the_source(tmp_path: Path) -> None:
    # Given an upload whose length became known after a kill in the middle of a body with a checksum
    for name in (ID, OTHER):
        store, objects = LocalUploadStore(tmp_path / "uploads"), LocalStore(tmp_path / "objects")
        store.create(name, KEY, None)
        append(store, b"abc", upload=name, unproven=True)
        with (tmp_path / "uploads" / name).open("ab") as stream:
            stream.write(b"never proven")
        store.declare(name, 3)
    # When it is handed over, by renaming or by copying / Then the source has the proven bytes alone
    assert content(store, objects) == b"abc"
    assert objects.head(KEY).size == 3
    copies: dict[str, bytes] = {}

    class Plain:
        def put_file(self, key: str, path: Path) -> None:
            copies[key] = path.read_bytes()

    store.hand_over(OTHER, Plain(), KEY)  # type: ignore[arg-type] # put_file is all that is used
    assert copies == {KEY: b"abc"}


@pytest.mark.parametrize("left", [b"", b"0000000000000000003", b"\0" * 20])
def test_a_note_that_was_not_written_to_its_end_says_nothing(tmp_path: Path, left: bytes) -> None:
    # Given the note of a process that was killed before a byte of its body could be written
    store = LocalUploadStore(tmp_path)
    store.create(ID, KEY, 6)
    append(store, b"abcde")
    (tmp_path / f"{ID}.proven").write_bytes(left)
    # Then all bytes count
    assert store.stat(ID).size == 5
    assert append(store, b"f", unproven=True) == 6


def test_without_checksums_there_is_no_note(tmp_path: Path) -> None:
    store = LocalUploadStore(tmp_path)
    store.create(ID, KEY, 6)
    append(store, b"abc", unproven=True)
    append(store, b"d")
    assert [path.name for path in tmp_path.iterdir()] == [ID]
    assert store.stat(ID).size == 4


def test_what_killed_joins_and_removals_left_is_swept_once_it_is_old(tmp_path: Path) -> None:
    store = LocalUploadStore(tmp_path)
    store.create(ID, KEY, 3)
    append(store, b"abc", unproven=True)
    for name in (f"{OTHER}-0a1b2c3d.joining", f"{OTHER}.proven"):
        (tmp_path / name).write_bytes(b"left")
    assert store.sweep(time.time() - 3600) == 0
    assert store.sweep(time.time() + 3600) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [ID, f"{ID}.proven"]
    assert ids(store) == [ID]


def test_a_disk_that_fills_while_joining_leaves_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **rest: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    store = LocalUploadStore(tmp_path)
    one = part(store, 1, b"abc")
    store.create(ID, KEY, 3)
    monkeypatch.setattr(os, "copy_file_range", full)
    with pytest.raises(StoreFull):
        store.join(ID, [one])
    assert ids(store) == [ID, one]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("done", [0, 2])
@pytest.mark.parametrize("says", [errno.EXDEV, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, 0])
def test_a_file_system_that_cannot_copy_ranges_is_copied_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: int, done: int
) -> None:
    real, calls = os.copy_file_range, []

    def unable(source: int, target: int, count: int, offset_src: int) -> int:
        calls.append(count)
        if len(calls) == 1 and done:
            return real(source, target, done, offset_src=offset_src)
        if says:
            raise OSError(says, os.strerror(says))
        return 0

    monkeypatch.setattr(os, "copy_file_range", unable)
    store, objects = LocalUploadStore(tmp_path / "uploads"), LocalStore(tmp_path / "objects")
    one, two = part(store, 1, b"abcdef"), part(store, 2, b"ghi")
    store.create(ID, KEY, 9)
    assert store.join(ID, [one, two]) == 9
    assert content(store, objects) == b"abcdefghi"
    assert calls
