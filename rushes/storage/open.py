"""From the address in the settings to a store."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from rushes.settings import SettingsError
from rushes.storage.bucket import Bucket
from rushes.storage.local import LocalStore
from rushes.storage.overlay import SCHEME, OverlayStore, parts_of
from rushes.storage.s3 import S3Store
from rushes.storage.store import ObjectStore


def open_store(url: str) -> ObjectStore:
    """`file:///absolute/path`, taken as it stands: the settings do not percent-encode a path, so nothing is decoded.
    `s3://bucket/prefix?...` as `Bucket` reads it; no request is made yet. What `overlay_url` gives, for a replay.

    Raises SettingsError for any other address, StoreError where the disk refuses.
    """
    if url.startswith("file:///"):
        return LocalStore(Path(url.removeprefix("file://")))
    if url.startswith(SCHEME):
        top, below = parts_of(url)
        return OverlayStore(LocalStore(top), open_store(below))
    if url.startswith("s3://"):
        bucket = Bucket.parse(url)
        if not find_spec("boto3"):
            raise SettingsError(
                "RUSHES_STORAGE_URL names an S3 store, which needs an extra: pip install 'rushes[fleet]'."
            )
        return S3Store(bucket)
    raise SettingsError("RUSHES_STORAGE_URL must be file:///absolute/path or s3://bucket/prefix.")
