"""The bytes of a remote object as a stream that outlives broken connections, and is never silently short."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import Any

from rushes.storage.bucket import Bucket, translated
from rushes.storage.store import ObjectExists, StoreError

REOPENINGS = 3
"""Times in a row that a stream is opened again without getting a byte further."""


class RemoteStream(io.RawIOBase):
    """Bytes `start` to `stop` of one version of an object.

    A connection that breaks is replaced by one that asks for the rest of the *same* version. Raises StoreError where
    that fails, or where the object was replaced by another.
    """

    def __init__(self, bucket: Bucket, key: str, etag: str, start: int, stop: int, body: Any = None) -> None:  # noqa: ANN401 - boto3's own
        """`body` is a response under way for these very bytes; None: it is asked for when it is needed."""
        self._bucket, self._key, self._etag = bucket, key, etag
        self._at, self._stop = start, stop
        self._body = body
        self._failures = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - whatever has the buffer protocol
        wanted = min(len(buffer), self._stop - self._at)
        while wanted > 0:
            count = self._try_to_read(memoryview(buffer)[:wanted])
            if count:
                self._at += count
                self._failures = 0
                return count
        return 0

    def close(self) -> None:
        if not self.closed:
            self._drop()
        super().close()

    def _try_to_read(self, buffer: memoryview) -> int:
        """0 where the connection broke; the next try is over another one. Raises StoreError after several such."""
        body = self._opened()
        try:
            with translated(self._key):
                if count := int(body.readinto(buffer)):
                    return count
            raise StoreError(f"{self._key}: the object store broke off {self._stop - self._at} bytes before the end")
        except StoreError:
            self._drop()
            self._failures += 1
            if self._failures > REOPENINGS:
                raise
        return 0

    def _opened(self) -> Any:  # noqa: ANN401 - boto3's own
        """A request that fails was tried several times already, by the door."""
        if self._body is None:
            part = f"bytes={self._at}-{self._stop - 1}"
            try:
                self._body = self._bucket.get(self._key, Range=part, IfMatch=self._etag)["Body"]
            except ObjectExists as error:
                raise StoreError(f"{self._key}: the object was replaced while it was being read") from error
        return self._body

    def _drop(self) -> None:
        """A body that was not read to its end takes its connection with it."""
        if self._body is not None:
            with suppress(OSError):
                self._body.close()
            self._body = None
