"""Uploads into S3: two writers where there should be one, and a store that misbehaves. moto inside this process keeps the
objects."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rushes.catalog.catalog import Catalog
from rushes.catalog.change import Store
from rushes.catalog.holds import Wanted
from rushes.catalog.records import Upload
from rushes.catalog.sqlite import SqliteDatabase
from rushes.clock import ManualClock
from rushes.ingest.multipart import prefix
from rushes.ingest.s3 import S3UploadStore
from rushes.ingest.store import StoreFull, UploadBusy, UploadDamaged, UploadMissing
from rushes.keys import new_id
from rushes.model import Asset
from rushes.storage.bucket import Bucket, StoreQuota
from rushes.storage.s3 import S3Store
from rushes.storage.store import ObjectMissing, StoreError
from tests.integration.ingest.s3_doomed import Doomed, Kill, new_bucket
from tests.integration.ingest.s3_lives import DATA, ID, KEY, PART, complete, litter, store_on


def test_a_removal_killed_anywhere_is_done_by_the_next_one(client: Any) -> None:
    for last in range(1, 7):
        bucket = new_bucket(client)
        begin(bucket, DATA[:36])
        with pytest.raises(Kill):
            store_on(Doomed(bucket, last, after=True)).remove(ID)
            raise Kill  # it took fewer requests than that
        store_on(bucket).remove(ID)
        assert litter(bucket) == []


# -- two writers ------------------------------------------------------------------------------------------------------


def begin(bucket: Bucket, data: bytes, length: int = len(DATA)) -> S3UploadStore:
    store = store_on(bucket)
    store.create(ID, KEY, length)
    if data:
        appender = store.append(ID, 1)
        appender.write([data])
        appender.commit()
        appender.close()
    return store


def test_the_late_state_of_a_process_that_lost_its_lock_does_not_count(bucket: Bucket) -> None:
    begin(bucket, DATA[:10])
    # Given a process that is stopped in the middle of its request, and another one that has taken over
    zombie = store_on(bucket).append(ID, 2)
    zombie.write([b"z" * 3])
    heir = store_on(bucket).append(ID, 3)
    heir.write([DATA[10:12]])
    assert heir.commit() == 12
    # When the first one wakes, and stores more than the other
    assert zombie.commit() == 13
    # Then the other's bytes are the upload
    store = store_on(bucket)
    assert store.stat(ID).size == 12
    assert complete("plain", bucket) == DATA


@pytest.fixture
def catalog(tmp_path: Path) -> tuple[Catalog, ManualClock]:
    database, clock = SqliteDatabase(tmp_path / "catalog.db"), ManualClock()
    database.ensure()
    catalog, now = Catalog(Store(database, clock)), clock.now()
    asset = Asset(id=new_id(now), tenant="t", created_at=now)
    upload = Upload(id=ID, asset=asset.id, tenant="t", length=len(DATA), created_at=now, expires_at=now + 1)
    catalog.create_upload(upload, asset)
    return catalog, clock


def taken(catalog: tuple[Catalog, ManualClock], owner: str) -> int:
    """The fence of a lock that nobody renews: the next one has it too."""
    catalog[1].advance(5)
    fence = catalog[0].take_hold(ID, owner, 4.0, Wanted.IF_SILENT).fence
    assert fence
    return fence


@pytest.mark.parametrize("late", ["append", "declare"])
def test_who_was_stopped_between_taking_the_lock_and_opening_stores_nothing(
    bucket: Bucket, catalog: tuple[Catalog, ManualClock], late: str
) -> None:
    stopped = store_on(bucket)
    stopped.create(ID, KEY, len(DATA) if late == "append" else None)
    # Given a process that has the lock, and is stopped; and its heir, that has stored no more than that it began
    first, second = taken(catalog, "stopped"), taken(catalog, "heir")
    assert not catalog[0].has_hold(ID, "stopped", first)
    heir = store_on(bucket).append(ID, second)
    heir.write([DATA[:PART]])
    if late == "declare":
        heir.commit()
    heir.write([DATA[PART : PART + 1]])
    assert any(name.epoch == second for name, _ in store_on(bucket)._states.of(ID))
    # When the first one goes on / Then it is refused
    with pytest.raises(UploadBusy):
        stopped.append(ID, first) if late == "append" else stopped.declare(ID, len(DATA), first)
    # And what the heir acknowledges counts, for whoever comes next too
    assert heir.commit() == PART + 1
    heir.close()
    assert store_on(bucket).append(ID, taken(catalog, "third")).size == PART + 1
    assert complete("plain", bucket) == DATA


def test_who_opened_before_its_heir_stored_anything_is_below_it(
    bucket: Bucket, catalog: tuple[Catalog, ManualClock]
) -> None:
    begin(bucket, b"")
    stopped, heir = taken(catalog, "stopped"), taken(catalog, "heir")
    writer = store_on(bucket).append(ID, heir)
    late = store_on(bucket).append(ID, stopped)
    late.write([b"z" * 9])
    late.commit()
    writer.write([DATA[:5]])
    assert writer.commit() == 5
    writer.close()
    late.write([b"z" * 9])
    late.commit()
    assert store_on(bucket).stat(ID).size == 5


def test_fences_that_begin_anew_do_not_lose_what_is_stored(
    bucket: Bucket, catalog: tuple[Catalog, ManualClock]
) -> None:
    # Given an upload that has states of an epoch from before the catalog gave the fences
    begin(bucket, b"")
    before = store_on(bucket, alone=True).append(ID, 7)
    before.write([DATA[:5]])
    before.commit()
    before.close()
    # When two processes of a fleet, whose rows are new, append, and the first comes back when the fence would be 9
    stores, offset = [store_on(bucket), store_on(bucket)], 5
    for turn in (0, *[1] * 7, 0):
        writer = stores[turn].append(ID, taken(catalog, str(turn)))
        # Then each finds what the one before it acknowledged
        assert writer.size == offset
        writer.write([DATA[offset : offset + 2]])
        offset = writer.commit()
        writer.close()
    assert complete("plain", bucket) == DATA


def test_an_offset_is_acknowledged_only_by_a_state_of_the_writers_own(bucket: Bucket) -> None:
    begin(bucket, DATA[:5])
    # Given two that lost their locks, the older of which stored more, and their heir, who found that
    second, third = (store_on(bucket).append(ID, fence) for fence in (2, 3))
    second.write([DATA[5:12]])
    second.commit()
    heir = store_on(bucket).append(ID, 4)
    assert heir.commit() == 12
    # When the newer of the two stores less
    third.write([DATA[5:8]])
    third.commit()
    # Then what the heir has told is still true
    assert store_on(bucket).stat(ID).size == 12


def test_the_late_state_of_a_predecessor_does_not_count_without_locks_either(bucket: Bucket) -> None:
    begin(bucket, DATA[:10])
    zombie = store_on(bucket).append(ID, 5)
    zombie.write([b"z"])
    heir = store_on(bucket, alone=True).append(ID, 4)  # whose clock is behind
    heir.write([DATA[10:12]])
    heir.commit()
    later = store_on(bucket, alone=True).append(ID, 4)
    later.write([DATA[12:14]])
    assert later.commit() == 14
    zombie.commit()
    assert store_on(bucket).stat(ID).size in (11, 14)


def test_a_late_part_of_the_same_file_does_no_harm(bucket: Bucket) -> None:
    begin(bucket, DATA[:10])
    zombie = store_on(bucket).append(ID, 2)
    heir = store_on(bucket).append(ID, 3)
    heir.write([DATA[10:]])
    assert heir.commit() == len(DATA)
    zombie.write([DATA[10:36]])
    zombie.commit()
    assert complete("plain", bucket) == DATA


def test_a_late_part_of_another_file_is_found_and_the_upload_falls_back(bucket: Bucket) -> None:
    begin(bucket, DATA[:20])
    zombie = store_on(bucket).append(ID, 2)
    heir = store_on(bucket).append(ID, 3)
    heir.write([DATA[20:]])
    assert heir.commit() == len(DATA)
    heir.close()
    # Given a part of other bytes in the place of an acknowledged one
    zombie.write([b"z" * 12])
    zombie.commit()
    # When the upload is to be completed / Then it is not, and falls back to what is right
    store = store_on(bucket)
    with pytest.raises(UploadDamaged) as caught:
        store.hand_over(ID, S3Store(bucket), KEY)
    assert caught.value.status == 409
    assert store.stat(ID).size == PART
    # And the client, which asks for the offset, sends the rest again
    assert complete("plain", bucket) == DATA


def test_a_state_that_is_replaced_while_it_is_read_is_looked_for_again(bucket: Bucket) -> None:
    begin(bucket, DATA[:10])

    class Overtaken(Doomed):
        """Between the listing and the read, another process commits."""

        def __getattr__(self, name: str) -> Callable[..., Any]:
            method = super().__getattr__(name)
            if name != "read" or self.count > 2:
                return method
            other = store_on(bucket).append(ID)
            other.write([DATA[10:20]])
            other.commit()
            return method

    appender = store_on(Overtaken(bucket, 10**9, after=False)).append(ID)
    assert appender.size == 20


def test_the_upload_of_a_process_that_still_appends_is_not_handed_over(bucket: Bucket) -> None:
    store = begin(bucket, DATA[:10])
    with pytest.raises(UploadBusy):
        store.hand_over(ID, S3Store(bucket), KEY)


# -- a store that misbehaves ------------------------------------------------------------------------------------------


class Odd(Doomed):
    """A bucket of which one method does its work and then raises, or only raises."""

    def __init__(self, bucket: Bucket, method: str, error: Exception, *, works: bool) -> None:
        super().__init__(bucket, 10**9, after=False)
        self.odd, self._error, self._works = method, error, works

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = super().__getattr__(name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if name != self.odd:
                return method(*args, **kwargs)
            if self._works:
                method(*args, **kwargs)
            raise self._error

        return call


def test_a_completion_behind_a_time_out_is_recognised(bucket: Bucket) -> None:
    begin(bucket, DATA)
    store = store_on(Odd(bucket, "complete", StoreError("no answer"), works=True))
    store.hand_over(ID, S3Store(bucket), KEY)
    assert bucket.read(KEY) == DATA
    store.remove(ID)
    assert bucket.read(KEY) == DATA
    assert litter(bucket) == []


def test_a_completion_that_failed_may_be_repeated(bucket: Bucket) -> None:
    begin(bucket, DATA)
    odd = Odd(bucket, "complete", StoreError("no answer"), works=False)
    with pytest.raises(StoreError, match="no answer"):
        store_on(odd).hand_over(ID, S3Store(bucket), KEY)
    store = store_on(bucket)
    assert store.stat(ID).size == len(DATA)
    store.hand_over(ID, S3Store(bucket), KEY)
    assert bucket.read(KEY) == DATA


@pytest.mark.parametrize(("error", "raised"), [(StoreError("500"), StoreError), (StoreQuota("full"), StoreFull)])
@pytest.mark.parametrize("method", ["put", "upload_part"])
def test_a_failed_request_leaves_no_gap(bucket: Bucket, method: str, error: Exception, raised: type[Exception]) -> None:
    begin(bucket, DATA[:20])
    appender = store_on(Odd(bucket, method, error, works=False)).append(ID)
    with pytest.raises(raised):
        appender.write([DATA[20:30]])
        appender.write([DATA[30:43]])
        appender.commit()
    with pytest.raises(raised):  # nor does it go on behind the hole
        appender.commit()
    appender.close()
    # Then its parts are there, or nothing behind the first that is not
    assert store_on(bucket).stat(ID).size == (len(DATA) if method == "put" else 20)
    assert complete("plain", bucket) == DATA


def test_old_states_that_cannot_be_deleted_are_deleted_later(bucket: Bucket) -> None:
    begin(bucket, DATA[:5])
    appender = store_on(Odd(bucket, "delete", StoreError("503"), works=False)).append(ID)
    appender.write([DATA[5:10]])
    assert appender.commit() == 10
    assert len(list(bucket.list(prefix(ID)))) == 2
    store_on(bucket).append(ID).commit()
    assert len(list(bucket.list(prefix(ID)))) == 1
    assert store_on(bucket).stat(ID).size == 10


def test_a_multipart_upload_that_a_rule_of_the_bucket_ended_is_missing(bucket: Bucket) -> None:
    store = begin(bucket, DATA[:20])
    ended = Odd(bucket, "upload_part", ObjectMissing("NoSuchUpload"), works=False)
    appender = store_on(ended).append(ID)
    with pytest.raises(UploadMissing):
        appender.write([DATA[20:]])
        appender.commit()
    assert store.stat(ID).size == 20


def test_a_finished_object_of_a_wrong_size_is_an_error(bucket: Bucket) -> None:
    store = begin(bucket, DATA)
    (found,) = bucket.uploads("")
    bucket.abort(KEY, found["UploadId"])
    bucket.put(KEY, b"something else")
    with pytest.raises(StoreError, match="14 bytes instead of 43"):
        store.hand_over(ID, S3Store(bucket), KEY)


def test_the_sweep_ends_old_multipart_uploads_that_no_state_names(bucket: Bucket) -> None:
    store = begin(bucket, DATA[:20])
    orphan = bucket.start("sources/default/orphan/1")
    assert store.sweep(time.time() + 60) == 1
    assert orphan not in [found["UploadId"] for found in bucket.uploads("")]
    assert complete("plain", bucket) == DATA


def test_a_state_that_is_no_state_is_an_error_and_no_offset(bucket: Bucket) -> None:
    store = begin(bucket, DATA[:20])
    (found,) = bucket.list(prefix(ID))
    whole = bucket.read(found["Key"])
    for content in (b"", b"{}\n", b"[1]\n", whole[:-1]):
        bucket.put(found["Key"], content)
        with pytest.raises(StoreError):
            store_on(bucket).append(ID)
        with pytest.raises(StoreError):
            store.stat(ID)
    bucket.put(found["Key"], whole)
    bucket.put(f"{prefix(ID)}readme", b"not ours")
    assert store.stat(ID).size == 20


@pytest.mark.parametrize("seed", range(8))
def test_any_order_of_two_writers_of_one_file_keeps_what_was_acknowledged(bucket: Bucket, seed: int) -> None:
    dice = random.Random(seed)
    store, acknowledged, fence = begin(bucket, b""), 0, 1
    writers: list[Any] = []
    for _ in range(40):
        action = dice.choice(["open", "write", "write", "commit", "commit"])
        if action == "open" or not writers:
            fence += 1
            writers = [*writers[-1:], (fence, store_on(bucket).append(ID, fence))]
            continue
        held, writer = dice.choice(writers)
        if action == "write":
            writer.write([DATA[writer.size : writer.size + dice.randint(0, 20)]])
        elif (offset := writer.commit()) and held == fence:  # else its lock is lost, and nothing is told
            acknowledged = offset
        assert store.stat(ID).size >= acknowledged
    assert complete("plain", bucket) == DATA
