"""A bucket in memory, and a process that is killed before or after any of its requests to it."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from rushes.storage.bucket import Bucket, Part
from rushes.storage.store import ObjectMissing


@contextmanager
def moto_client() -> Iterator[Any]:
    """moto inside this process; it takes parts of a few bytes."""
    moto = pytest.importorskip("moto")
    import boto3
    from moto.s3 import models

    with pytest.MonkeyPatch.context() as patch, moto.mock_aws():
        patch.setattr(models, "S3_UPLOAD_PART_MIN_SIZE", 1)
        yield boto3.client("s3", region_name="us-east-1")


class InMemory(Bucket):
    """moto inside a process does not take a bytearray, as HTTP does, and stumbles over an upload that is gone."""

    def upload_part(self, name: str, upload: str, number: int, body: Any, **rest: Any) -> Part:
        return super().upload_part(name, upload, number, bytes(body), **rest)

    def complete(self, name: str, upload: str, parts: Sequence[Part]) -> None:
        try:
            super().complete(name, upload, parts)
        except KeyError as error:
            raise ObjectMissing(upload) from error


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


class Noting(Doomed):
    """A bucket that keeps the names of the methods called."""

    def __init__(self, bucket: Bucket) -> None:
        super().__init__(bucket, 10**9, after=False)
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = super().__getattr__(name)
        self.calls.append(name)
        return method
