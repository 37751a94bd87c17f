"""Uploads into S3 that cost no more requests and bytes than they have to, and are not fooled by what they save.

moto inside this process keeps the objects.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from rushes.ingest.multipart import MIB
from rushes.ingest.s3 import S3UploadStore
from rushes.ingest.store import UploadMissing
from rushes.storage.bucket import Bucket, Part
from rushes.storage.s3 import S3Store
from rushes.storage.store import StoreError
from tests.integration.ingest.s3_doomed import Doomed, Noting
from tests.integration.ingest.s3_lives import DATA, FIRST, ID, JOINED, KEY, LIVES, PART, SECOND, Life, litter, store_on


def append(store: S3UploadStore, data: bytes, fence: int = 0, upload: str = ID) -> int:
    appender = store.append(upload, fence)
    appender.write([data])
    offset = appender.commit()
    appender.close()
    return offset


def sizes(bucket: Bucket) -> list[int]:
    (found,) = bucket.uploads("")
    return [part.size for part in bucket.parts(found["Key"], found["UploadId"])]


# -- bytes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [5 * MIB, 6 * MIB + 1, 8 * MIB])
def test_parts_are_as_large_as_the_chunks_of_the_client(bucket: Bucket, chunk: int) -> None:
    store = S3UploadStore(bucket, tidy_behind=False)
    store.create(ID, KEY, 4 * chunk)
    for _ in range(3):
        append(store, bytes(chunk))
    assert sizes(bucket) == [chunk] * 3
    (state,) = bucket.list("uploads/")
    assert state["Size"] < 1000  # no tail


def test_small_requests_fill_the_smallest_parts(bucket: Bucket) -> None:
    store = S3UploadStore(bucket, tidy_behind=False)
    store.create(ID, KEY, 100 * MIB)
    for _ in range(6):
        append(store, bytes(2 * MIB))
    assert sizes(bucket) == [5 * MIB] * 2
    assert store.stat(ID).size == 12 * MIB


def test_chunks_of_a_size_of_which_10_000_are_not_enough_do_not_decide(bucket: Bucket) -> None:
    store = S3UploadStore(bucket, tidy_behind=False)
    store.create(ID, KEY, 10_001 * 5 * MIB)
    append(store, bytes(5 * MIB))
    append(store, bytes(5 * MIB))
    assert sizes(bucket) == [8 * MIB]


class Weighing(Doomed):
    """A bucket that adds up the bytes of bodies."""

    def __init__(self, bucket: Bucket) -> None:
        super().__init__(bucket, 10**9, after=False)
        self.sent = 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = super().__getattr__(name)

        def weighed(*args: Any, **options: Any) -> Any:
            self.sent += sum(len(each) for each in args if isinstance(each, bytes | bytearray))
            return method(*args, **options)

        return weighed


def test_who_hears_all_the_time_how_far_it_is_costs_at_most_three_times_its_bytes(bucket: Bucket) -> None:
    weighing = Weighing(bucket)
    store = S3UploadStore(weighing, tidy_behind=False)  # type: ignore[arg-type] # Doomed hands every call on
    store.create(ID, KEY, 100 * MIB)
    # Given a slow client, and a commit of every 100 KiB of 20 MiB wherever it is cheap
    appender, told, step = store.append(ID, 5), [0], 100 * 2**10
    for at in range(step, 20 * MIB + 1, step):
        appender.write([bytes(step)])
        offset = appender.commit_if_cheap()
        if offset is not None:
            assert offset == at == store.stat(ID).size
            told.append(offset)
    appender.commit()
    # Then it is told now and then, soon at the beginning, and little is sent for it
    assert told[:4] == [0, step, 2 * step, 4 * step]
    assert max(after - before for before, after in itertools.pairwise(told)) <= 5 * MIB
    assert weighing.sent <= 3 * 20 * MIB


def test_no_offset_is_told_before_a_state_of_the_writers_own(bucket: Bucket) -> None:
    store = store_on(bucket)
    store.create(ID, KEY, len(DATA))
    append(store, DATA[:5], fence=5)
    appender = store.append(ID, 6)
    assert appender.commit_if_cheap() is None
    appender.write([DATA[5:9]])
    assert appender.commit_if_cheap() is None
    appender.write([DATA[9:10]])
    assert appender.commit_if_cheap() == 10


# -- requests ---------------------------------------------------------------------------------------------------------


def test_a_writer_whom_nobody_came_between_reads_nothing_again(bucket: Bucket) -> None:
    noting = Noting(bucket)
    store = store_on(noting)
    store.create(ID, KEY, len(DATA))
    append(store, DATA[:5], fence=7)
    noting.calls.clear()
    assert append(store, DATA[5:9], fence=8) == 9
    assert noting.calls == ["put", "delete"]


def test_a_writer_whom_somebody_came_between_finds_what_he_stored(bucket: Bucket) -> None:
    store, other = store_on(bucket), store_on(bucket)
    store.create(ID, KEY, len(DATA))
    append(store, DATA[:5], fence=7)
    append(other, DATA[5:9], fence=8)
    assert append(store, DATA[9:20], fence=9) == 20
    append(other, DATA[20:], fence=10)
    store.hand_over(ID, S3Store(bucket), KEY)
    assert bucket.read(KEY) == DATA


def test_what_a_writer_did_not_store_itself_is_looked_for(bucket: Bucket) -> None:
    # Given a process that takes the lock, stores nothing, and a late state of the one before it
    store, zombie = store_on(bucket), store_on(bucket)
    store.create(ID, KEY, len(DATA))
    late = zombie.append(ID, 5)
    store.append(ID, 6).close()
    late.write([DATA[:9]])
    late.commit()
    # Then it does not believe what it has seen before
    appender = store.append(ID, 7)
    assert appender.size == 9


def test_tails_that_are_too_much_to_keep_are_read_again(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rushes.ingest.s3_states.KEPT_TAILS", 6)
    store = store_on(bucket, alone=True)
    for upload in (FIRST, SECOND):
        store.create(upload, f"parts/default/{upload}", len(DATA))
        append(store, DATA[:5], upload=upload)
    assert append(store, DATA[5:9], upload=FIRST) == 9
    assert append(store, DATA[5:9], upload=SECOND) == 9


# -- what servers say -------------------------------------------------------------------------------------------------


class Miscopying(Doomed):
    """A server that copies other bytes than it was asked for, and says nothing."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name != "copy_part":
            return super().__getattr__(name)

        def copy_part(key: str, upload: str, number: int, source: str, etag: str, span: range) -> Part:
            return self._bucket.upload_part(key, upload, number, b"[" * len(span))

        return copy_part


def test_a_server_that_copies_other_bytes_is_not_asked_to_copy(bucket: Bucket) -> None:
    LIVES["joined"](Life(Miscopying(bucket, 10**9, after=False)))
    assert bucket.read(KEY) == JOINED
    assert litter(bucket) == []


def test_a_join_goes_on_with_the_parts_that_are_there(bucket: Bucket) -> None:
    store = store_on(bucket)
    for part in (FIRST, SECOND):
        store.create(part, f"parts/default/{part}", 3 * PART)
        append(store, DATA[:PART] * 3, upload=part)
    store.create(ID, KEY, None)
    # Given a join that ended in the middle
    noting = Noting(bucket)
    assert store_on(noting).join(ID, [FIRST, SECOND]) == 6 * PART
    (newest,) = [name for name, _ in store._states.of(ID)]
    found = store._states.newest(ID)
    store._store(found, type(found.state)(found.state.target, ()))
    assert str(newest) not in [each["Key"] for each in bucket.list("uploads/")]
    # When it is done again / Then no part is made again
    noting.calls.clear()
    assert store_on(noting).join(ID, [FIRST, SECOND]) == 6 * PART
    assert {"copy_part", "upload_part"}.isdisjoint(noting.calls)


def test_joining_names_the_part_that_is_gone(bucket: Bucket) -> None:
    store = store_on(bucket)
    store.create(ID, KEY, None)
    with pytest.raises(UploadMissing, match=FIRST):
        store.join(ID, [FIRST])


def test_a_part_that_the_store_has_with_another_checksum_is_an_error(bucket: Bucket) -> None:
    class Lying:
        def upload_part(self, **asked: Any) -> dict[str, str]:
            return {"ETag": "e", "ChecksumCRC32": "AAAAAA=="}

    bucket.__dict__["client"] = Lying()
    with pytest.raises(StoreError, match="another checksum"):
        Bucket.upload_part(bucket, KEY, "m", 1, b"abc", checked=True)
