"""Parts that count by being there: one request for a body that is a part, and nothing that is not right is counted.

moto inside this process keeps the objects.
"""

from __future__ import annotations

from typing import Any

import pytest

from rushes.ingest.multipart import State
from rushes.ingest.s3 import S3UploadStore
from rushes.ingest.store import UploadDamaged
from rushes.storage.bucket import Bucket
from rushes.storage.s3 import S3Store
from rushes.storage.store import StoreError
from tests.integration.ingest.s3_doomed import Doomed, Noting
from tests.integration.ingest.s3_lives import DATA, ID, KEY, PART, complete, litter, store_on


def append(store: S3UploadStore, data: bytes, fence: int, **how: bool) -> int:
    appender = store.append(ID, fence, **how)
    appender.write([data])
    offset = appender.commit()
    appender.close()
    return offset


def begin(bucket: Any, parts: int, length: int | None = len(DATA)) -> S3UploadStore:
    """An upload of so many parts, each by a request of its own; the last one had the fence of that number."""
    store = S3UploadStore(bucket, smallest_part=PART, largest=100 * PART, save_every=0.0, tidy_behind=False)
    store.create(ID, KEY, length)
    for number in range(1, parts + 1):
        assert append(store, DATA[(number - 1) * PART : number * PART], number) == number * PART
    return store


def states(bucket: Bucket) -> list[State]:
    return [State.decode(bucket.read(found["Key"])) for found in bucket.list("uploads/")]


def test_a_request_of_a_whole_part_is_one_request_to_the_store(bucket: Bucket) -> None:
    noting = Noting(bucket)
    store = begin(noting, 1)
    noting.calls.clear()
    assert append(store, DATA[PART : 2 * PART], 2) == 2 * PART
    assert [call for call in noting.calls if call != "crc32"] == ["upload_part"]
    # And a process that knows nothing finds it
    assert store_on(bucket).stat(ID).size == 2 * PART
    assert complete("plain", bucket) == DATA
    assert litter(bucket) == []


def test_the_time_of_an_upload_is_that_of_its_last_part(bucket: Bucket) -> None:
    begin(bucket, 2)
    (found,) = bucket.uploads("")
    last = max(part.modified for part in bucket.parts(KEY, found["UploadId"]))
    assert store_on(bucket).stat(ID).modified == last > 0


def test_whoever_takes_over_names_what_is_there_before_it_acknowledges(bucket: Bucket) -> None:
    begin(bucket, 2)
    assert [state.grows for state in states(bucket)] == [True]
    heir = store_on(bucket)
    assert append(heir, b"", 9) == 2 * PART
    (state,) = states(bucket)
    assert not state.grows
    assert len(state.receipts) == 2
    # And never again counts what it does not name
    append(heir, DATA[2 * PART :], 10)
    assert not any(state.grows for state in states(bucket))


def test_a_late_part_of_another_file_behind_a_take_over_is_found_though_the_heir_was_killed(bucket: Bucket) -> None:
    first = begin(bucket, 1)
    zombie = first.append(ID, 2)
    assert append(store_on(bucket), DATA[PART : 2 * PART], 3) == 2 * PART
    zombie.write([b"z" * PART])
    zombie.commit()
    # Given a third process, which knows only what is stored
    third = store_on(bucket)
    append(third, DATA[2 * PART :], 4)
    with pytest.raises(UploadDamaged):
        third.hand_over(ID, S3Store(bucket), KEY)
    assert third.stat(ID).size == PART
    assert complete("plain", bucket) == DATA


@pytest.mark.parametrize("same", [True, False], ids=["the same process", "another process"])
def test_unproven_parts_do_not_count_by_being_there(bucket: Bucket, *, same: bool) -> None:
    store = begin(bucket, 1, None)
    writer = (store if same else store_on(bucket)).append(ID, 2, unproven=True)
    # Given parts whose bytes have not been proven when their process is killed
    writer.write([b"w" * (2 * PART)])
    writer._land_all()
    (found,) = bucket.uploads("")
    assert len(bucket.parts(KEY, found["UploadId"])) == 3
    # Then they do not count, nor when the right one lies before them
    assert store_on(bucket).stat(ID).size == PART
    assert append(store_on(bucket), DATA[PART : 2 * PART], 3) == 2 * PART
    assert store_on(bucket).stat(ID).size == 2 * PART
    assert complete("plain", bucket) == DATA


def test_parts_that_are_taken_back_do_not_count(bucket: Bucket) -> None:
    store = begin(bucket, 1)
    writer = store.append(ID, 2)
    writer.write([b"w" * PART])
    assert writer.commit() == 2 * PART
    writer.write([b"w" * (len(DATA) - 2 * PART)])
    writer.rollback()
    assert writer.commit() == 2 * PART
    writer.close()
    assert store_on(bucket).stat(ID).size == 2 * PART
    assert append(store, DATA[2 * PART : 2 * PART + 3], 3) == 2 * PART + 3
    assert store_on(bucket).stat(ID).size == 2 * PART + 3


def test_a_tail_is_superseded_by_the_part_that_begins_with_it(bucket: Bucket) -> None:
    store = begin(bucket, 1)
    assert append(store, DATA[PART : PART + 3], 2) == PART + 3
    assert store_on(bucket).stat(ID).size == PART + 3
    assert append(store, DATA[PART + 3 : 2 * PART], 3) == 2 * PART
    assert store_on(bucket).stat(ID).size == 2 * PART
    assert complete("plain", bucket) == DATA


def test_an_upload_without_a_length_grows_and_is_handed_over_by_another_process(bucket: Bucket) -> None:
    begin(bucket, 2, None)
    assert [len(state.receipts) for state in states(bucket)] == [0]
    assert store_on(bucket).stat(ID).size == 2 * PART
    store = store_on(bucket)
    store.hand_over(ID, S3Store(bucket), KEY)
    assert bucket.read(KEY) == DATA[: 2 * PART]
    # And again, where the process was killed before it could tell
    store_on(bucket).hand_over(ID, S3Store(bucket), KEY)
    store.remove(ID)
    assert litter(bucket) == []


def test_a_length_that_is_said_later_leaves_what_has_grown(bucket: Bucket) -> None:
    store = begin(bucket, 2, None)
    store.declare(ID, len(DATA), 3)
    assert store_on(bucket).stat(ID).size == 2 * PART
    assert append(store, DATA[2 * PART :], 4) == len(DATA)
    store_on(bucket).hand_over(ID, S3Store(bucket), KEY)
    assert bucket.read(KEY) == DATA


def test_a_multipart_upload_that_is_gone_leaves_what_the_state_says(bucket: Bucket) -> None:
    store = begin(bucket, 2)
    (found,) = bucket.uploads("")
    bucket.abort(KEY, found["UploadId"])
    assert store_on(bucket).stat(ID).size == 0
    store.remove(ID)
    assert litter(bucket) == []


def test_an_offset_is_not_told_where_the_parts_cannot_be_listed(bucket: Bucket) -> None:
    class Silent(Doomed):
        def parts(self, name: str, upload: str) -> Any:
            raise StoreError("no answer")

    begin(bucket, 2)
    with pytest.raises(StoreError):
        store_on(Silent(bucket, 10**9, after=False)).stat(ID)


def test_a_process_that_others_came_between_does_not_go_on_as_before(bucket: Bucket) -> None:
    store, other = begin(bucket, 1), store_on(bucket)
    other.append(ID, 2).close()  # had the lock, and stored nothing
    noting = Noting(bucket)
    store._states._bucket = noting  # type: ignore[assignment] # Doomed hands every call on
    writer = store.append(ID, 3)
    assert noting.calls == ["list", "parts"]
    writer.write([DATA[PART : 2 * PART]])
    writer.commit()
    assert not any(state.grows for state in states(bucket))
