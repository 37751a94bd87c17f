"""Objects in a bucket of an S3-compatible server. How such servers differ stands in docs/object-stores.md."""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

from rushes.clock import Clock, SystemClock
from rushes.keys import PRIVATE_TREE, is_output
from rushes.storage import conditions
from rushes.storage.bucket import BULK, Bucket, RangeBehindEnd, StoreLacks, StoreRefused
from rushes.storage.durable import opened
from rushes.storage.names import RESERVED, check_key, check_prefix, local_name
from rushes.storage.parcels import PART, digest, file_digest, receive, send
from rushes.storage.remote import RemoteStream
from rushes.storage.store import (
    PRIVATE,
    Fetched,
    Headers,
    Listed,
    ObjectExists,
    ObjectInfo,
    ObjectMissing,
    StoreError,
)

PLAIN = Headers()
SINGLE = 32 * 2**20
"""Bytes up to which a file is put by one request."""
BUFFER = 256 * 1024
TREES = ("media/", PRIVATE_TREE, "artifacts/")
"""Where steps write, each attempt in a place of its own."""
SWEPT = 1_000
_MARK = "rushes-put"
"""Name of the metadata by which a conditional put knows its own object again."""


class S3Store:
    """ObjectStore with ConditionalPut (where the server obeys), Presign, ServerCopy and BulkDelete.

    Content type and cache control are the object's own, so a CDN may pull straight from the bucket. The keys need
    leave to list the bucket: without it, servers answer a missing object with 403.
    """

    def __init__(self, bucket: Bucket, clock: Clock | None = None) -> None:
        self._bucket = bucket
        self._clock = clock or SystemClock()
        self._bucket_seen = False

    # -- writing ------------------------------------------------------------------------------------------------------

    def put_bytes(self, key: str, data: bytes, headers: Headers = PLAIN) -> ObjectInfo:
        check_key(key)
        etag = self._bucket.put(key, data, ContentMD5=digest(data), **_parameters(headers))
        return self._written(key, len(data), etag, headers)

    def put_file(self, key: str, path: Path, headers: Headers = PLAIN) -> ObjectInfo:
        """Streamed; in parts if it is big. The file stays where it is."""
        check_key(key)
        with opened(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size <= SINGLE:
                etag = self._bucket.put(key, file, ContentMD5=file_digest(file), **_parameters(headers))
                return self._written(key, size, etag, headers)
            send(self._bucket, key, file, size, _parameters(headers))
        info = self.head(key)
        if info.size != size:
            raise StoreError(f"{key}: {size} bytes were stored, and the object store has {info.size}")
        return info

    def sweep(self, older_than: float = 86_400.0) -> int:
        """Ends multipart uploads of steps whose worker was killed: `SWEPT` of them at the most. Those of clients are the upload
        store's, and others in a bucket that is shared are nobody's business. Where the object is there, its upload stays: on some
        servers the one is made of the other's parts."""
        before = self._clock.now() - older_than
        under_way = chain.from_iterable(map(self._bucket.uploads, TREES))
        old = (one for one in under_way if one["Initiated"].timestamp() < before and is_output(one["Key"]))
        return sum(self._ended(found["Key"], found["UploadId"]) for found in list(islice(old, SWEPT)))

    def _ended(self, key: str, upload: str) -> bool:
        try:
            self._bucket.head(key)
        except ObjectMissing:
            with suppress(ObjectMissing):  # somebody was faster
                self._bucket.abort(key, upload)
            return True
        return False

    @cached_property
    def conditional(self) -> bool:
        option = self._bucket.options.get("conditional", "auto")
        return conditions.obeys(self._bucket) if option == "auto" else option == "yes"

    def put_if(self, key: str, data: bytes, headers: Headers, *, etag: str | None) -> ObjectInfo:
        """Exact also where an answer is lost: the object carries a mark, by which this put is known again."""
        check_key(key)
        if not self.conditional:
            raise StoreLacks("this object store has no conditional puts")
        mark = secrets.token_hex(8)
        parameters = _parameters(headers) | {"ContentMD5": digest(data), "Metadata": {_MARK: mark}}
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        try:
            made = self._bucket.put(key, data, **parameters, **condition)
        except ObjectMissing as error:  # If-Match, and there is none
            raise ObjectExists(f"{key}: the object is not the expected one.") from error
        except StoreRefused:
            raise
        except StoreError:
            made = self._own(key, mark)
            if not made:
                raise
        return self._written(key, len(data), made, headers)

    def copy(self, source: str, key: str, headers: Headers = PLAIN) -> ObjectInfo:
        check_key(key)
        self._bucket.copy(check_key(source), key, MetadataDirective="REPLACE", **_parameters(headers))
        return self.head(key)

    def delete(self, key: str) -> None:
        with suppress(ObjectMissing):
            self._bucket.delete(check_key(key))

    def delete_many(self, keys: Iterable[str]) -> None:
        left = iter(keys)
        while batch := [check_key(key) for key in islice(left, BULK)]:
            try:
                self._bucket.delete_many(batch)
            except StoreRefused:
                raise
            except StoreError:  # some servers want another checksum for this request than others, or lack it
                for key in batch:
                    self.delete(key)

    # -- reading ------------------------------------------------------------------------------------------------------

    def head(self, key: str) -> ObjectInfo:
        check_key(key)
        try:
            found = self._bucket.head(key)
        except ObjectMissing:
            self._look_for_the_bucket()
            raise
        return _info(key, found, found["ContentLength"])

    def read(self, key: str) -> bytes:
        with self.open(key) as stream:
            return stream.read()

    def open(self, key: str, start: int = 0) -> BinaryIO:
        return self.fetch(key, start).stream

    def fetch(self, key: str, start: int = 0, stop: int | None = None) -> Fetched:
        """One request, but for a `start` behind the end."""
        check_key(key)
        if start < 0:
            raise ValueError("start must not be negative.")
        try:
            found = self._bucket.get(key, **_range(start, stop))
        except RangeBehindEnd:
            return Fetched(self.head(key), io.BytesIO())
        size = _whole_size(found)
        info = _info(key, found, size)
        until = start + found["ContentLength"]
        raw = RemoteStream(self._bucket, key, info.etag, start, until, found["Body"])
        return Fetched(info, io.BufferedReader(raw, BUFFER))

    def list(self, prefix: str) -> Iterator[Listed]:
        check_prefix(prefix)
        for found in self._bucket.list(prefix):
            if not found["Key"].startswith(f"{RESERVED}/"):
                yield Listed(found["Key"], found["Size"], found["LastModified"].timestamp())

    def localize(self, key: str, scratch: Path) -> Path:
        """A copy, which appears under its name when it is whole."""
        first = self.fetch(key, 0, PART)
        target = scratch / local_name(key)
        draft = target.with_name(f"{target.name}.{secrets.token_hex(4)}")
        try:
            with first.stream:
                receive(self._bucket, first.info, first.stream, draft)
            return draft.rename(target)
        finally:
            draft.unlink(missing_ok=True)

    def presign(self, key: str, seconds: int) -> str:
        return self._bucket.presign(check_key(key), seconds)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _written(self, key: str, size: int, etag: str, headers: Headers) -> ObjectInfo:
        return ObjectInfo(key, size, etag, headers.content_type, headers.cache_control, self._clock.now())

    def _own(self, key: str, mark: str) -> str:
        """The etag of the object if it is the one of this put, whose answer was lost; else empty."""
        with suppress(StoreError):
            found = self._bucket.head(key)
            if found.get("Metadata", {}).get(_MARK) == mark:
                return str(found["ETag"])
        return ""

    def _look_for_the_bucket(self) -> None:
        """HEAD says of a missing bucket what it says of a missing object. Raises StoreRefused."""
        if not self._bucket_seen:
            self._bucket.check()
            self._bucket_seen = True


def _parameters(headers: Headers) -> dict[str, Any]:
    return {"ContentType": headers.content_type, "CacheControl": headers.cache_control}


def _range(start: int, stop: int | None) -> dict[str, str]:
    if start == 0 and stop is None:
        return {}
    return {"Range": f"bytes={start}-" if stop is None else f"bytes={start}-{max(stop, start + 1) - 1}"}


def _whole_size(found: dict[str, Any]) -> int:
    """`bytes 3-5/10` is 10; without a range, the length of the body."""
    total = str(found.get("ContentRange", "")).rpartition("/")[2]
    return int(total) if total.isdigit() else int(found["ContentLength"])


def _info(key: str, found: dict[str, Any], size: int) -> ObjectInfo:
    cache_control = found.get("CacheControl") or PRIVATE
    return ObjectInfo(key, size, found["ETag"], found["ContentType"], cache_control, found["LastModified"].timestamp())
