"""What a crash leaves behind is repaired at the start, and what nobody comes back for is removed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.records import Upload
from rushes.errors import REASONS, NotFound
from rushes.ingest.finish import finish, kept, position
from rushes.ingest.hold import Locked
from rushes.ingest.services import Services
from rushes.ingest.store import Stored, UploadBusy, UploadDamaged, UploadMissing
from rushes.noun import Reason
from rushes.storage.store import StoreError

log = logging.getLogger(__name__)

ORPHAN_AGE = 3600.0
"""Seconds after which stored bytes without an open upload are removed: a creation may be between file and row."""
EXPIRED = Reason(code="upload_expired", message=REASONS["upload_expired"])


@dataclass(frozen=True)
class Recovered:
    """Ids of uploads."""

    finished: tuple[str, ...] = ()
    expired: tuple[str, ...] = ()
    orphans: tuple[str, ...] = ()


async def recover(services: Services) -> Recovered:
    """Finish complete uploads, end expired ones, remove orphaned bytes. For the start, and now and then after it.

    Several processes may do so at once: what is done to an open upload is done under its lock, and again is harmless.
    """
    stored = await services.call(_listing, services)  # before the rows: what is created meanwhile is not an orphan
    uploads = await asyncio.to_thread(services.catalog.open_uploads)
    finished: list[str] = []
    expired: list[str] = []
    for upload in uploads:
        done = await _look_after(services, upload, stored.get(upload.id))
        if done:
            (finished if done == "finished" else expired).append(upload.id)
    rest = sorted(stored.keys() - {upload.id for upload in uploads})
    orphans = await services.call(_remove_orphans, services, rest)
    return Recovered(tuple(finished), tuple(expired), orphans)


async def keep_recovering(services: Services, every: float = 300.0) -> None:
    """Until cancelled. A round that fails does not end the later ones."""
    while True:
        try:
            await recover(services)
        except (StoreError, DatabaseUnavailable) as error:
            log.warning("uploads cannot be looked after now; trying again in %d s: %s", every, error)
        except Exception:  # whatever it was, the next round may succeed, and the server must go on
            log.exception("recovery of uploads failed; trying again in %d s", every)
        await asyncio.sleep(every)


def _listing(services: Services) -> dict[str, Stored]:
    return dict(services.uploads.list())


async def _look_after(services: Services, upload: Upload, stored: Stored | None) -> str | None:
    """What became of an upload, if anything. Its lock is taken only where something has to be done."""
    now = services.clock.now()
    if stored is not None and stored.size < upload.length and not kept(services, upload, stored).is_expired(now):
        return None
    try:
        async with services.holds.claim(upload.id):
            return await services.call(_settle, services, upload.id)
    except Locked:
        return None  # a request is at work on it
    except (StoreError, UploadMissing, UploadBusy, UploadDamaged) as error:
        log.warning("upload %s cannot be finished yet: %s", upload.id, error)
        return None


def _settle(services: Services, upload_id: str) -> str | None:
    upload = services.catalog.upload(upload_id)
    if upload.state != "open":
        return None
    try:
        at = position(services, upload)
    except NotFound:
        return _expire(services, upload) if upload.expires_at <= services.clock.now() else None
    if at.offset == upload.length:
        finish(services, upload)
        return "finished"
    return _expire(services, upload) if at.is_expired(services.clock.now()) else None


def _expire(services: Services, upload: Upload) -> str | None:
    if not services.catalog.terminate_upload(upload.id, reason=EXPIRED):
        return None  # its last byte came just now
    services.uploads.remove(upload.id)
    return "expired"


def _remove_orphans(services: Services, uploads: Sequence[str]) -> tuple[str, ...]:
    before = services.clock.now() - ORPHAN_AGE
    removed = []
    for upload in uploads:
        if _is_orphan(services, upload, before):
            services.uploads.remove(upload)
            removed.append(upload)
    services.uploads.sweep(before)
    return tuple(removed)


def _is_orphan(services: Services, upload: str, before: float) -> bool:
    try:
        return services.catalog.upload(upload).state != "open"
    except NotFound:
        pass
    try:
        return services.uploads.stat(upload).modified < before
    except UploadMissing:
        return False
