"""Big objects to and from a bucket, in parts and a few at a time. Memory is bounded by the parts under way."""

from __future__ import annotations

import io
import os
from base64 import b64encode
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from hashlib import md5
from pathlib import Path
from typing import Any, BinaryIO

from rushes.storage.bucket import Bucket, Part
from rushes.storage.remote import RemoteStream
from rushes.storage.store import ObjectInfo, ObjectMissing, StoreError

PART = 8 * 2**20
"""Bytes of a part, at least; S3 wants 5 MiB (Amazon S3 User Guide, "Multipart upload limits")."""
MOST_PARTS = 1000
"""What OpenStack Swift takes unless it is told otherwise; Amazon takes ten times as many."""
AT_ONCE = 4
BLOCK = 2**20


def digest(data: bytes) -> str:
    """Content-MD5 (RFC 1864): with it, a server refuses a body that was damaged on its way."""
    return b64encode(md5(data, usedforsecurity=False).digest()).decode()


def file_digest(file: BinaryIO) -> str:
    """The same of a file from its beginning; the file is left there."""
    sum_ = md5(usedforsecurity=False)
    file.seek(0)
    while block := file.read(BLOCK):
        sum_.update(block)
    file.seek(0)
    return b64encode(sum_.digest()).decode()


def send(bucket: Bucket, key: str, file: BinaryIO, size: int, headers: dict[str, Any]) -> None:
    """A multipart upload: nothing can be seen of it before all parts are there. Aborted where anything fails."""
    length = max(PART, -(-size // MOST_PARTS))
    starts = range(0, size, length)

    def send_part(number: int, start: int) -> Part:
        data = os.pread(file.fileno(), min(length, size - start), start)
        if len(data) != min(length, size - start):
            raise StoreError(f"{key}: the file changed while it was being stored")
        return bucket.upload_part(key, upload, number, data, ContentMD5=digest(data))

    upload = bucket.start(key, **headers)
    try:
        parts = _all([partial(send_part, number, start) for number, start in enumerate(starts, 1)])
        _complete(bucket, key, upload, parts, size)
    except BaseException:
        with suppress(StoreError):  # what cannot be aborted now is left to the bucket's own rule for such uploads
            bucket.abort(key, upload)
        raise


def _complete(bucket: Bucket, key: str, upload: str, parts: list[Part], size: int) -> None:
    try:
        bucket.complete(key, upload, parts)
    except ObjectMissing:  # it was completed, the answer was lost, and the repetition found no upload any more
        found = bucket.head(key)
        if found["ContentLength"] != size or not found["ETag"].rstrip('"').endswith(f"-{len(parts)}"):
            raise


def receive(bucket: Bucket, info: ObjectInfo, first: BinaryIO, target: Path) -> None:
    """Write the object to `target`; `first` streams its first `PART` bytes. Never half a file.

    Raises StoreError, and OSError where the disk does not take it.
    """
    with target.open("wb") as file:
        file.truncate(info.size)
        jobs = [partial(_copy, first, file.fileno(), 0)]
        for start in range(PART, info.size, PART):
            stop = min(start + PART, info.size)
            jobs.append(partial(_copy_part, bucket, info, start, stop, file.fileno()))
        if sum(_all(jobs)) != info.size:
            raise StoreError(f"{info.key}: not as many bytes came as the object has")


def _copy_part(bucket: Bucket, info: ObjectInfo, start: int, stop: int, descriptor: int) -> int:
    with RemoteStream(bucket, info.key, info.etag, start, stop) as stream:
        return _copy(stream, descriptor, start)


def _copy(stream: io.RawIOBase | BinaryIO, descriptor: int, start: int) -> int:
    at = start
    while block := stream.read(BLOCK):
        left = memoryview(block)
        while left:  # a disk that gets full takes a part of it, and says why at the next try
            count = os.pwrite(descriptor, left, at)
            at, left = at + count, left[count:]
    return at - start


def _all(jobs: Iterable[Callable[[], Any]]) -> list[Any]:
    """The results of all, a few jobs at a time. What one raises ends it: jobs that have not begun are not begun."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        futures = [pool.submit(job) for job in jobs]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            return [future.result() for future in futures if future.done()]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
