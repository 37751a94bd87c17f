"""Whether a bucket's server keeps to conditional puts: asked by trying, because servers refuse, ignore or obey them."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from rushes.storage.bucket import Bucket, StoreLacks
from rushes.storage.names import RESERVED
from rushes.storage.store import ObjectExists, ObjectMissing

_NO_OBJECT = '"00000000000000000000000000000000"'


def obeys(bucket: Bucket) -> bool:
    """Puts objects of its own a few times and removes them again. Raises StoreError where the server fails otherwise.

    A server without `If-Match` is not believed to have an atomic `If-None-Match: *` either: OpenStack Swift takes it,
    looks, and lets several of those win that come at the same time.
    """
    name = f"{RESERVED}/conditions/{secrets.token_hex(8)}"
    absent = f"{name}-absent"
    try:
        etag = bucket.put(name, b"1", IfNoneMatch="*")
        return (
            _refused(lambda: bucket.put(name, b"2", IfNoneMatch="*"))
            and _refused(lambda: bucket.put(name, b"3", IfMatch=_NO_OBJECT))
            and _refused(lambda: bucket.put(absent, b"4", IfMatch=_NO_OBJECT))
            and not _refused(lambda: bucket.put(name, b"5", IfMatch=etag))
        )
    except StoreLacks:
        return False
    finally:
        for each in (name, absent):
            bucket.delete(each)


def _refused(put: Callable[[], object]) -> bool:
    try:
        put()
    except (ObjectExists, ObjectMissing):
        return True
    return False
