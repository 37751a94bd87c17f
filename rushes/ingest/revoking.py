"""Uploads that end because the address that made them was revoked."""

from __future__ import annotations

import logging

from rushes.errors import RushesError
from rushes.ingest.access import Caller
from rushes.ingest.store import UploadBusy, UploadMissing
from rushes.ingest.uploads import Uploads
from rushes.storage.store import StoreError

log = logging.getLogger(__name__)


async def end_upload(uploads: Uploads, tenant: str, upload: str) -> None:
    """At once, also while a request appends. Bytes that cannot be removed now are left to the recovery."""
    try:
        await uploads.terminate(Caller(tenant), upload)
    except (RushesError, UploadMissing, UploadBusy, StoreError) as error:
        log.warning("upload %s was revoked, but its bytes are still there: %s", upload, error)
