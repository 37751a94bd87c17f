"""From the settings to where uploads lie, and to who may append to them."""

from __future__ import annotations

from rushes.catalog.catalog import Catalog
from rushes.catalog.open import is_shared
from rushes.ingest.fleet import FleetHolds
from rushes.ingest.hold import Holds, UploadLocks
from rushes.ingest.local import LocalUploadStore
from rushes.ingest.s3 import S3UploadStore
from rushes.ingest.store import UploadStore
from rushes.settings import Settings
from rushes.storage.bucket import Bucket


def open_upload_store(settings: Settings, *, alone: bool) -> UploadStore:
    """Beside the sources: in the same bucket, or in the data directory. Raises SettingsError.

    `alone`: no other process appends to the uploads that this one appends to. A bucket is used with fewer requests then.
    """
    if settings.storage.startswith("s3://"):
        return S3UploadStore(
            Bucket.parse(settings.storage),
            largest=settings.upload_max_bytes,
            alone=alone,
        )
    return LocalUploadStore(settings.data / "uploads", sync=settings.upload_sync, reserve=settings.min_free_bytes // 2)


def open_upload_locks(settings: Settings, catalog: Catalog) -> UploadLocks:
    """Leases where the database is shared by several processes."""
    return FleetHolds(catalog) if is_shared(settings.database) else Holds()
