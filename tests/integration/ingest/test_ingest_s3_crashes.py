"""Uploads into S3, killed before and after every single request; and two writers where there should be one.

moto inside this process keeps the objects, and takes parts of a few bytes.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rushes.ingest.multipart import prefix
from rushes.ingest.s3 import S3UploadStore
from rushes.ingest.store import StoreFull, UploadBusy, UploadDamaged, UploadMissing
from rushes.keys import new_id
from rushes.storage.bucket import Bucket, Part, StoreQuota
from rushes.storage.s3 import S3Store
from rushes.storage.store import ObjectMissing, StoreError

ID = new_id(1_750_000_000.0, 1)
KEY = "sources/default/asset/1"
PART = 16
DATA = bytes(range(43))
PIECES = (DATA[:10], DATA[10:36], DATA[36:])
"""Into the first part, into the third, to the end."""


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    moto = pytest.importorskip("moto")
    import boto3
    from moto.s3 import models

    with pytest.MonkeyPatch.context() as patch, moto.mock_aws():
        patch.setattr(models, "S3_UPLOAD_PART_MIN_SIZE", 1)
        yield boto3.client("s3", region_name="us-east-1")


@pytest.fixture
def bucket(client: Any) -> Bucket:
    return new_bucket(client)


class InMemory(Bucket):
    """moto inside a process does not take a bytearray, as HTTP does."""

    def upload_part(self, name: str, upload: str, number: int, body: Any, **rest: Any) -> Part:
        return super().upload_part(name, upload, number, bytes(body), **rest)


def new_bucket(client: Any) -> Bucket:
    name = f"bucket-{random.getrandbits(48):x}"
    client.create_bucket(Bucket=name)
    bucket = InMemory(name)
    bucket.__dict__["client"] = client  # making one takes longer than all the requests of a test
    return bucket


class Kill(BaseException):
    """kill -9: nothing of the process does anything after it."""


class Doomed:
    """A bucket whose process dies before or after its request number `last`, counted from 1."""

    def __init__(self, bucket: Bucket, last: int, *, after: bool) -> None:
        self._bucket, self._last, self._after = bucket, last, after
        self._lock = threading.Lock()
        self.count = 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._bucket, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                self.count += 1
                if self.count > self._last or (self.count == self._last and not self._after):
                    raise Kill
                result = method(*args, **kwargs)
                result = iter(list(result)) if name in ("list", "uploads") else result
                if self.count == self._last:
                    raise Kill
                return result

        return call


def store_on(bucket: Any) -> S3UploadStore:
    return S3UploadStore(bucket, smallest_part=PART, save_every=0.0)


class Life:
    """What a process does for an upload, and what it could tell the client."""

    def __init__(self, bucket: Any) -> None:
        self.store = store_on(bucket)
        self.objects = S3Store(bucket)
        self.created, self.acknowledged, self.finished = False, 0, False

    def run(self) -> None:
        self.store.create(ID, KEY, len(DATA))
        self.created = True
        for piece in PIECES:
            appender = self.store.append(ID)
            appender.write([piece[:5], piece[5:]])
            self.acknowledged = appender.commit()
            appender.close()
        self.store.hand_over(ID, self.objects, KEY)
        self.finished = True
        self.store.remove(ID)


def requests_of_a_life(bucket: Bucket) -> int:
    counting = Doomed(bucket, 10**9, after=False)
    Life(counting).run()
    return counting.count


def finish(store: S3UploadStore, bucket: Bucket, data: bytes = DATA) -> bytes:
    """As a client and recovery do: go on from the offset, to the end."""
    try:
        offset = store.stat(ID).size
        appender = store.append(ID)
        appender.write([data[offset:]])
        assert appender.commit() == len(data)
        appender.close()
    except UploadMissing:
        pass
    store.hand_over(ID, S3Store(bucket), KEY)
    store.remove(ID)
    return bucket.read(KEY)


def nothing_left(store: S3UploadStore, bucket: Bucket) -> bool:
    store.sweep(time.time() + 60)
    return not list(bucket.list("uploads/")) and not list(bucket.uploads(""))


def test_a_kill_between_any_two_requests_loses_nothing_acknowledged(client: Any) -> None:
    count = requests_of_a_life(new_bucket(client))
    assert count > 20
    for number in range(1, 2 * count + 1):
        last, after = divmod(number + 1, 2)
        bucket = new_bucket(client)
        life = Life(Doomed(bucket, last, after=bool(after)))
        with pytest.raises(Kill):
            life.run()
        # Given the process that comes after the kill
        store = store_on(bucket)
        what = f"killed {'after' if after else 'before'} request {last} of {count}"
        try:
            offset = store.stat(ID).size
        except UploadMissing:
            offset = None
        # Then what was acknowledged is there, or is the source already
        if life.created and not life.finished:
            assert offset is not None, what
            assert offset >= life.acknowledged, what
        if life.created:
            assert finish(store, bucket) == DATA, what
        elif offset is not None:  # the creation was not answered: recovery removes it as an orphan
            store.remove(ID)
        # And no part, state or multipart upload stays behind
        assert nothing_left(store, bucket), what


def test_a_removal_killed_anywhere_is_done_by_the_next_one(client: Any) -> None:
    for last in range(1, 7):
        bucket = new_bucket(client)
        begin(bucket, DATA[:36])
        with pytest.raises(Kill):
            store_on(Doomed(bucket, last, after=True)).remove(ID)
            raise Kill  # it took fewer requests than that
        store_on(bucket).remove(ID)
        assert nothing_left(store_on(bucket), bucket)


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
    assert finish(store, bucket) == DATA


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
    heir = store_on(bucket).append(ID, 4)  # whose clock is behind
    heir.write([DATA[10:12]])
    heir.commit()
    later = store_on(bucket).append(ID, 4)
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
    assert finish(store_on(bucket), bucket) == DATA


def test_a_late_part_of_another_file_is_found_and_the_upload_falls_back(bucket: Bucket) -> None:
    begin(bucket, DATA[:20])
    zombie = store_on(bucket).append(ID, 2)
    heir = store_on(bucket).append(ID, 3)
    heir.write([DATA[20:]])
    assert heir.commit() == len(DATA)
    heir.close()
    # Given a part of other bytes in the place of an acknowledged one
    zombie.write([b"z" * 12])
    with pytest.raises(UploadMissing):  # never raised: it only ends the block
        zombie.write([b"z" * 16])
        zombie.close()
        raise UploadMissing
    # When the upload is to be completed / Then it is not, and falls back to what is right
    store = store_on(bucket)
    with pytest.raises(UploadDamaged) as caught:
        store.hand_over(ID, S3Store(bucket), KEY)
    assert caught.value.status == 409
    assert store.stat(ID).size == PART
    # And the client, which asks for the offset, sends the rest again
    assert finish(store, bucket) == DATA


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


@pytest.mark.parametrize("works", [True, False])
def test_a_completion_behind_a_time_out_is_recognised(bucket: Bucket, works: bool) -> None:
    begin(bucket, DATA)
    odd = Odd(bucket, "complete", StoreError("no answer"), works=works)
    with pytest.raises(StoreError, match="no answer"):
        store_on(odd).hand_over(ID, S3Store(bucket), KEY)
    store = store_on(bucket)
    assert store.stat(ID).size == len(DATA)
    store.hand_over(ID, S3Store(bucket), KEY)
    assert bucket.read(KEY) == DATA
    store.remove(ID)
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
    store = store_on(bucket)
    assert store.stat(ID).size == 20
    assert finish(store, bucket) == DATA


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
    assert finish(store, bucket) == DATA


def test_a_state_that_is_no_state_is_an_error_and_no_offset(bucket: Bucket) -> None:
    store = begin(bucket, DATA[:20])
    (found,) = bucket.list(prefix(ID))
    for content in (b"", b"{}\n", b"[1]\n", bucket.read(found["Key"])[:-1]):
        bucket.put(found["Key"], content)
        with pytest.raises(StoreError):
            store.append(ID)
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
    assert finish(store_on(bucket), bucket) == DATA
