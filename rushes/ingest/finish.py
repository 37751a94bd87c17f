"""How far an upload is, and its end: the bytes become the source of the asset, once, whatever is killed in between.

A part has no asset: it ends by being complete, and keeps its bytes for those that are joined from it.

The bytes are handed to the object store first, then one transaction makes the source known and plans the work. A kill
between the two leaves an open upload whose bytes are gone and whose object is there: `position` calls that complete,
and whoever looks next (a HEAD of the client, the recovery at the start) finishes it. Both halves may be repeated.
"""

from __future__ import annotations

from dataclasses import dataclass

from rushes.catalog.records import Upload
from rushes.engine.early import digest
from rushes.facts import SourceRef
from rushes.ingest.access import gone
from rushes.ingest.metadata import filename_of
from rushes.ingest.proving import WRONG, WrongDigest, prove
from rushes.ingest.services import Services
from rushes.ingest.store import Stored, UploadMissing
from rushes.keys import part_key, source_key
from rushes.model import Asset
from rushes.states import AssetState
from rushes.storage.store import ObjectMissing


@dataclass(frozen=True)
class Position:
    offset: int
    expires_at: float

    def is_expired(self, now: float) -> bool:
        return self.expires_at <= now


def store_key(upload: Upload) -> str:
    """Where the bytes belong in the object store."""
    return source_key(upload.tenant, upload.asset, 1) if upload.asset else part_key(upload.tenant, upload.id)


def position(services: Services, upload: Upload) -> Position:
    """Stored, committed bytes, and until when they are kept: `upload_expiry` after the last one. Blocks.

    Raises NotFound where the bytes are nowhere.
    """
    if upload.state == "finished":
        return Position(offset=upload.length or 0, expires_at=upload.expires_at)
    return kept(services, upload, _stored(services, upload))


def kept(services: Services, upload: Upload, stored: Stored) -> Position:
    """What is stored, as a position."""
    kept_until = max(upload.expires_at, stored.modified + services.settings.upload_expiry)
    return Position(offset=stored.size, expires_at=kept_until)


def finish(services: Services, upload: Upload) -> Asset:
    """Make the complete upload the asset's source. Blocks; may be repeated, and by several processes at once.

    Raises StoreError, UploadMissing, UploadDamaged, UploadBusy, WrongDigest.
    """
    if upload.length is None:
        raise ValueError(f"{upload.id} has no length yet")
    key = store_key(upload)
    services.uploads.hand_over(upload.id, services.objects, key)
    _prove(services, upload, key)
    source = SourceRef(key=key, version=1, size=upload.length, filename=filename_of(upload.metadata))
    asset = services.catalog.finish_upload(upload.id, source, seen=_seen(services, upload, key))
    if asset.source is None or asset.state is AssetState.DELETED:
        services.objects.delete(key)  # given up meanwhile: nothing else would ever remove it
    services.uploads.remove(upload.id)
    services.tally.finished(upload.kind)
    return asset


def _prove(services: Services, upload: Upload, key: str) -> None:
    """An upload that is not what its client said has failed: nothing else may see its bytes."""
    try:
        prove(services.objects, key, {name: bytes.fromhex(digest) for name, digest in upload.digests.items() if digest})
    except WrongDigest:
        if services.catalog.terminate_upload(upload.id, reason=WRONG):
            services.objects.delete(key)
            services.uploads.remove(upload.id)
        raise


def _seen(services: Services, upload: Upload, key: str) -> str | None:
    """The hash of those bytes of the object that an early probe was shown in advance; None where there was none.

    They are read again: a client may have sent other bytes after its connection broke.
    """
    pieces = services.catalog.early_pieces(upload.asset) if upload.asset else None
    if pieces is None or pieces.length != upload.length:
        return None
    head = _read(services, key, 0, pieces.head)
    return digest(head, _read(services, key, pieces.length - pieces.tail, pieces.length))


def _read(services: Services, key: str, start: int, stop: int) -> bytes:
    if start >= stop:
        return b""
    fetched = services.objects.fetch(key, start, stop)
    with fetched.stream as stream:
        return stream.read(stop - start)


def finish_part(services: Services, upload: Upload) -> list[Upload]:
    """All bytes of a part are there. Gives the joined uploads that wait for it. Blocks; may be repeated."""
    waiting = services.catalog.finish_part(upload.id, services.clock.now() + services.settings.upload_expiry)
    services.tally.finished(upload.kind)
    return waiting


def is_handed_over(services: Services, upload: Upload) -> bool:
    """Whether the object is there, although the catalog may not know yet. Blocks."""
    try:
        return services.objects.head(store_key(upload)).size == upload.length
    except ObjectMissing:
        return False


def _stored(services: Services, upload: Upload) -> Stored:
    try:
        return services.uploads.stat(upload.id)
    except UploadMissing:
        return _handed_over(services, upload)


def _handed_over(services: Services, upload: Upload) -> Stored:
    try:
        found = services.objects.head(store_key(upload))
    except ObjectMissing as error:
        raise gone() from error
    return Stored(size=found.size, modified=found.modified)
