"""How far an upload is, and its end: the bytes become the source of the asset, once, whatever is killed in between.

The bytes are handed to the object store first, then one transaction makes the source known and plans the work. A kill
between the two leaves an open upload whose bytes are gone and whose object is there: `position` calls that complete,
and whoever looks next (a HEAD of the client, the recovery at the start) finishes it. Both halves may be repeated.
"""

from __future__ import annotations

from dataclasses import dataclass

from rushes.catalog.records import Upload
from rushes.errors import NotFound
from rushes.facts import SourceRef
from rushes.ingest.metadata import filename_of
from rushes.ingest.services import Services
from rushes.ingest.store import Stored, UploadMissing
from rushes.keys import source_key
from rushes.model import Asset
from rushes.states import AssetState
from rushes.storage.store import ObjectMissing


@dataclass(frozen=True)
class Position:
    offset: int
    expires_at: float

    def is_expired(self, now: float) -> bool:
        return self.expires_at <= now


def gone() -> NotFound:
    return NotFound("upload_not_found", "There is no upload of this id; it may have expired. Please start again.")


def position(services: Services, upload: Upload) -> Position:
    """Stored, committed bytes, and until when they are kept: `upload_expiry` after the last one. Blocks.

    Raises NotFound where the bytes are nowhere.
    """
    return kept(services, upload, _stored(services, upload))


def kept(services: Services, upload: Upload, stored: Stored) -> Position:
    """What is stored, as a position."""
    kept_until = max(upload.expires_at, stored.modified + services.settings.upload_expiry)
    return Position(offset=stored.size, expires_at=kept_until)


def finish(services: Services, upload: Upload) -> Asset:
    """Make the complete upload the asset's source. Blocks; may be repeated, and by several processes at once.

    Raises StoreError, UploadMissing, UploadDamaged, UploadBusy.
    """
    key = source_key(upload.tenant, upload.asset, 1)
    services.uploads.hand_over(upload.id, services.objects, key)
    source = SourceRef(key=key, version=1, size=upload.length, filename=filename_of(upload.metadata))
    asset = services.catalog.finish_upload(upload.id, source)
    if asset.source is None or asset.state is AssetState.DELETED:
        services.objects.delete(key)  # given up meanwhile: nothing else would ever remove it
    services.uploads.remove(upload.id)
    return asset


def _stored(services: Services, upload: Upload) -> Stored:
    if upload.state == "finished":
        return Stored(size=upload.length, modified=upload.created_at)
    try:
        return services.uploads.stat(upload.id)
    except UploadMissing:
        return _handed_over(services, upload)


def _handed_over(services: Services, upload: Upload) -> Stored:
    try:
        found = services.objects.head(source_key(upload.tenant, upload.asset, 1))
    except ObjectMissing as error:
        raise gone() from error
    return Stored(size=found.size, modified=found.modified)
