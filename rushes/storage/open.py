"""From the address in the settings to a store."""

from __future__ import annotations

from pathlib import Path

from rushes.settings import SettingsError
from rushes.storage.local import LocalStore
from rushes.storage.store import ObjectStore


def open_store(url: str) -> ObjectStore:
    """`file:///absolute/path`, taken as it stands: the settings do not percent-encode a path, so nothing is decoded.

    Raises SettingsError for any other address, StoreError where the disk refuses.
    """
    if url.startswith("file:///"):
        return LocalStore(Path(url.removeprefix("file://")))
    if url.startswith("s3://"):
        raise SettingsError("RUSHES_STORAGE_URL: S3 stores are not supported by this version; use file:///path.")
    raise SettingsError(f"RUSHES_STORAGE_URL must be file:///absolute/path; it is {url!r}.")
