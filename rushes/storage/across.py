"""An object of another bucket under a key of ours, copied by the server that has both: no byte passes through us."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from rushes.storage.bucket import Bucket
from rushes.storage.store import Headers, ObjectExists, ObjectMissing, StoreError

SINGLE = 5 * 10**9
"""Bytes up to which one request copies (Amazon S3 API reference, CopyObject)."""
PART = 2**30
MOST_PARTS = 1000


def copy_across(origin: Bucket, source: str, etag: str, target: Bucket, key: str, *, single: int = SINGLE) -> None:
    """`source` of `origin`, as it is under `etag`, becomes `key` of `target`; it is seen there when it is whole.

    Raises ObjectMissing where the source is gone or replaced, StoreError where the server does not copy it.
    """
    size: int = origin.head(source)["ContentLength"]
    headers = {"ContentType": Headers().content_type, "CacheControl": Headers().cache_control}
    if size > single:
        _in_parts(origin, source, etag, size, target, key, headers)
        return
    try:
        target.copy(source, key, origin=origin, CopySourceIfMatch=etag, MetadataDirective="REPLACE", **headers)
    except ObjectExists as error:
        raise ObjectMissing(f"{source}: the object was replaced while it was being copied") from error


def _in_parts(  # noqa: PLR0913 - from where, what, to where
    origin: Bucket, source: str, etag: str, size: int, target: Bucket, key: str, headers: dict[str, Any]
) -> None:
    length = max(PART, -(-size // MOST_PARTS))
    upload = target.start(key, **headers)
    try:
        parts = [
            target.copy_part(key, upload, number, source, etag, range(start, min(start + length, size)), origin)
            for number, start in enumerate(range(0, size, length), 1)
        ]
        target.complete(key, upload, parts)
    except BaseException:
        with suppress(StoreError):  # what cannot be aborted now is swept
            target.abort(key, upload)
        raise
