"""What a process does for uploads in a bucket, in several ways; and what has to be true of it however it was cut short."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rushes.ingest.s3 import S3UploadStore
from rushes.ingest.store import UploadMissing
from rushes.keys import new_id
from rushes.storage.bucket import Bucket
from rushes.storage.s3 import S3Store

PART = 16
DATA = bytes(range(43))
PIECES = (DATA[:10], DATA[10:36], DATA[36:])
"""Into the first part, into the third, to the end."""
ID, FIRST, SECOND = (new_id(1_750_000_000.0, number) for number in (1, 2, 3))
KEY = "sources/default/asset/1"
PART_KEYS = {FIRST: "parts/default/first", SECOND: "parts/default/second"}
SPLIT = {FIRST: DATA + DATA, SECOND: DATA[:7]}
"""Of two sources, one of which has no multipart upload."""
ORDER = [SECOND, FIRST, SECOND, FIRST]
JOINED = b"".join(SPLIT[part] for part in ORDER)


@dataclass
class Life:
    """Steps that a server takes; `acknowledged` is what it could tell a client."""

    bucket: Any
    acknowledged: dict[str, int] = field(default_factory=dict)
    finished: bool = False
    attempt: Callable[[Callable[[], Any]], Any] = lambda step: step()
    """How a step is taken: at once, or again and again, as clients do."""

    def __post_init__(self) -> None:
        self.store = store_on(self.bucket, alone=True)

    def create(self, upload: str, key: str, length: int | None) -> None:
        self.attempt(lambda: self.store.create(upload, key, length))
        self.acknowledged.setdefault(upload, 0)

    def append(self, upload: str, data: bytes, *, unproven: bool = False, wrong: bytes = b"") -> None:
        """Everything from where the upload is; `wrong` comes first, and is taken back."""

        def step() -> int:
            appender = self.store.append(upload, unproven=unproven)
            try:
                if wrong:
                    appender.write([wrong])
                    appender.rollback()
                appender.write([data[appender.size :]])
                return appender.commit()
            finally:
                appender.close()

        self.acknowledged[upload] = self.attempt(step)

    def finish(self, upload: str = ID) -> None:
        self.attempt(lambda: self.store.hand_over(upload, S3Store(self.bucket), KEY))
        self.finished = True
        self.attempt(lambda: self.store.remove(upload))


def plain(life: Life) -> None:
    life.create(ID, KEY, len(DATA))
    for end in (10, 36, 43):
        life.append(ID, DATA[:end])
    life.finish()


def even(life: Life) -> None:
    """Requests of whole parts, one with a checksum among them."""
    life.create(ID, KEY, len(DATA))
    life.append(ID, DATA[:PART])
    life.append(ID, DATA[: 2 * PART])
    life.append(ID, DATA, unproven=True, wrong=b"w" * 11)
    life.finish()


def small(life: Life) -> None:
    life.create(ID, KEY, 9)
    life.append(ID, DATA[:4])
    life.append(ID, DATA[:9])
    life.finish()


def deferred(life: Life) -> None:
    life.create(ID, KEY, None)
    life.append(ID, DATA[:36])
    life.append(ID, DATA)
    life.attempt(lambda: life.store.declare(ID, len(DATA)))
    life.finish()


def unproven(life: Life) -> None:
    life.create(ID, KEY, len(DATA))
    life.append(ID, DATA[:20], unproven=True, wrong=b"w" * 30)
    life.append(ID, DATA, unproven=True, wrong=b"w" * 23)
    life.finish()


def terminated(life: Life) -> None:
    life.create(ID, KEY, len(DATA))
    life.append(ID, DATA[:36])
    life.attempt(lambda: life.store.remove(ID))


def joined(life: Life) -> None:
    for part, key in PART_KEYS.items():
        life.create(part, key, len(SPLIT[part]))
        life.append(part, SPLIT[part])
    life.create(ID, KEY, None)
    life.attempt(lambda: life.store.join(ID, ORDER))
    life.acknowledged[ID] = len(JOINED)
    life.finish()
    for part in PART_KEYS:
        life.attempt(lambda part=part: life.store.remove(part))  # type: ignore[misc] # mypy takes no lambda with a default


LIVES: Mapping[str, Callable[[Life], None]] = {
    each.__name__: each for each in (plain, even, small, deferred, unproven, terminated, joined)
}


def expected(kind: str) -> bytes:
    return {"small": DATA[:9], "joined": JOINED}.get(kind, DATA)


def store_on(bucket: Any, *, alone: bool = False) -> S3UploadStore:
    return S3UploadStore(bucket, smallest_part=PART, save_every=0.0, tidy_behind=False, alone=alone)


def offset_of(store: S3UploadStore, upload: str) -> int | None:
    """None where there is no such upload."""
    try:
        return store.stat(upload).size
    except UploadMissing:
        return None


def complete(kind: str, bucket: Bucket) -> bytes:
    """As a client and recovery do: go on from the offsets, to the end."""
    life = Life(bucket)
    data = expected(kind)
    if kind == "joined":
        if offset_of(life.store, ID) is not None:
            for part, whole in SPLIT.items():
                if offset_of(life.store, part) is not None:
                    life.append(part, whole)
            life.store.join(ID, ORDER)
    elif offset_of(life.store, ID) is not None:
        life.append(ID, data)
    life.finish()
    for part in PART_KEYS:
        life.store.remove(part)
    return bucket.read(KEY)


def litter(bucket: Bucket) -> list[str]:
    """What is in a bucket but the object, once a sweep was there."""
    store_on(bucket).sweep(time.time() + 60)
    keys = [found["Key"] for found in bucket.list("") if found["Key"] != KEY]
    return keys + [found["Key"] for found in bucket.uploads("")]
