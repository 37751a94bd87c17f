"""What a crash leaves behind is repaired at the start, and what nobody comes back for is removed."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from rushes.catalog.records import Upload
from rushes.errors import REASONS, NotFound
from rushes.ingest.finish import finish, position
from rushes.ingest.hold import Locked
from rushes.ingest.services import Services
from rushes.ingest.store import UploadMissing
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
    """Finish complete uploads, end expired ones, remove orphaned bytes. For the start, and now and then after it."""
    finished: list[str] = []
    expired: list[str] = []
    uploads = await asyncio.to_thread(services.catalog.open_uploads)
    for upload in uploads:
        try:
            async with services.holds.claim(upload.id):
                done = await asyncio.to_thread(_settle, services, upload.id)
        except Locked:
            continue  # a request is at work on it
        except (StoreError, UploadMissing) as error:
            log.warning("upload %s cannot be finished yet: %s", upload.id, error)
            continue
        if done:
            (finished if done == "finished" else expired).append(upload.id)
    orphans = await asyncio.to_thread(_remove_orphans, services)
    return Recovered(tuple(finished), tuple(expired), orphans)


async def keep_recovering(services: Services, every: float = 300.0) -> None:
    """Until cancelled. A round that fails does not end the later ones."""
    while True:
        try:
            await recover(services)
        except Exception:  # whatever it was, the next round may succeed, and the server must go on
            log.exception("recovery of uploads failed; trying again in %d s", every)
        await asyncio.sleep(every)


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


def _expire(services: Services, upload: Upload) -> str:
    services.catalog.terminate_upload(upload.id, reason=EXPIRED)
    services.uploads.remove(upload.id)
    return "expired"


def _remove_orphans(services: Services) -> tuple[str, ...]:
    removed = []
    for upload_id in list(services.uploads.list()):
        if _is_orphan(services, upload_id):
            services.uploads.remove(upload_id)
            removed.append(upload_id)
    return tuple(removed)


def _is_orphan(services: Services, upload_id: str) -> bool:
    try:
        return services.catalog.upload(upload_id).state != "open"
    except NotFound:
        pass
    try:
        return services.uploads.stat(upload_id).modified + ORPHAN_AGE < services.clock.now()
    except UploadMissing:
        return False
