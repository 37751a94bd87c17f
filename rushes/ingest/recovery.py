"""What a crash leaves behind is repaired at the start, and what nobody comes back for is removed."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.records import Upload
from rushes.errors import REASONS, NotFound
from rushes.ingest.direct import finish_if_there
from rushes.ingest.finish import finish, finish_part, kept, position, store_key
from rushes.ingest.hold import Locked
from rushes.ingest.joining import join
from rushes.ingest.proving import WrongDigest
from rushes.ingest.services import Services
from rushes.ingest.store import Stored, StoreFull, UploadBusy, UploadDamaged, UploadMissing
from rushes.keys import EARLY
from rushes.noun import Reason
from rushes.storage.store import ObjectMissing, StoreError

log = logging.getLogger(__name__)

ORPHAN_AGE = 3600.0
"""Seconds after which stored bytes without an open upload are removed: a creation may be between file and row."""
ASKED = 1000
"""Direct uploads whose objects a round asks for, one request each; where there are more, others every time."""
_ENDS = {"finished": "finished", "terminated": "expired"}
EXPIRED = Reason(code="upload_expired", message=REASONS["upload_expired"])


@dataclass(frozen=True)
class Recovered:
    """Ids of uploads."""

    finished: tuple[str, ...] = ()
    expired: tuple[str, ...] = ()
    orphans: tuple[str, ...] = ()


async def recover(services: Services) -> Recovered:
    """Finish complete uploads, end expired ones, remove orphaned bytes. For the start, and now and then after it.

    Several processes may do so at once: what is done to an upload is done under its lock, and again is harmless.
    """
    stored = await services.call(_listing, services)  # before the rows: what is created meanwhile is not an orphan
    uploads = await asyncio.to_thread(services.catalog.kept_uploads)
    needed = needed_parts(uploads, services.clock.now())
    asked = _some([upload.id for upload in uploads if upload.kind == "direct"])
    ended: dict[str, list[str]] = {"finished": [], "expired": []}
    for upload in sorted(uploads, key=lambda each: each.kind == "joined"):  # their parts come first
        done = await _look_after(
            services, upload, stored.get(upload.id), needed=upload.id in needed, ask=upload.id in asked
        )
        if done:
            ended[done].append(upload.id)
    rest = sorted(stored.keys() - {upload.id for upload in uploads})
    orphans = await services.call(_remove_orphans, services, rest)
    return Recovered(tuple(ended["finished"]), tuple(ended["expired"]), orphans)


def needed_parts(uploads: Sequence[Upload], now: float) -> set[str]:
    """Parts that must not expire yet, for others wait to be joined from them. Pure.

    They wait for parts that are still to come, and then no longer than an upload waits for its client: where something
    keeps them from being put together, such as a full disk, they go in the end.
    """
    known = {upload.id: upload for upload in uploads}
    needed: set[str] = set()
    for upload in uploads:
        parts = [known[part] for part in upload.parts if part in known]
        if upload.expires_at > now or any(part.state == "open" or part.expires_at > now for part in parts):
            needed.update(upload.parts)
    return needed


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


def _some(directs: Sequence[str]) -> frozenset[str]:
    return frozenset(random.sample(directs, min(ASKED, len(directs))))


async def _look_after(
    services: Services, upload: Upload, stored: Stored | None, *, needed: bool, ask: bool
) -> str | None:
    """What became of an upload, if anything. Its lock is taken only where something has to be done.

    `needed`: another upload waits to be joined from it. `ask`: its client may have made the object without telling us.
    """
    try:
        if _may_rest(services, upload, stored, needed=needed) and not (
            ask and await services.call(_has_object, services, upload)
        ):
            return None
        async with services.holds.claim(upload.id):
            return await services.call(_settle, services, upload.id)
    except Locked:
        return None  # a request is at work on it
    except (StoreError, StoreFull, UploadMissing, UploadBusy, UploadDamaged, WrongDigest) as error:
        log.warning("upload %s cannot be finished yet: %s", upload.id, error)
        return None
    except DatabaseUnavailable:
        raise
    except Exception:  # such as a disk that cannot read its bytes: the others have to be looked after all the same
        log.exception("upload %s cannot be finished yet", upload.id)
        return None


def _has_object(services: Services, upload: Upload) -> bool:
    try:
        services.objects.head(store_key(upload))
    except ObjectMissing:
        return False
    return True


def _may_rest(services: Services, upload: Upload, stored: Stored | None, *, needed: bool) -> bool:
    now = services.clock.now()
    if upload.kind == "joined":
        return False
    if upload.state == "finished":  # a part
        return needed or upload.expires_at > now
    if stored is None or stored.size == upload.length:
        return False
    return not kept(services, upload, stored).is_expired(now)


def _settle(services: Services, upload_id: str) -> str | None:
    upload = services.catalog.upload(upload_id)
    if upload.kind == "joined":
        return _ENDS.get(join(services, upload.id).state) if upload.state == "open" else None
    if upload.state == "terminated":
        return None
    if upload.state == "finished":
        return _expire(services, upload) if upload.kind == "part" else None
    if upload.kind == "direct" and finish_if_there(services, upload):
        return "finished"
    try:
        at = position(services, upload)
    except NotFound:
        return _expire(services, upload) if upload.expires_at <= services.clock.now() else None
    if at.offset == upload.length and upload.kind != "fetched":  # that one its worker or its import finishes
        (finish_part if upload.kind == "part" else finish)(services, upload)
        return "finished"
    return _expire(services, upload) if at.is_expired(services.clock.now()) else None


def _expire(services: Services, upload: Upload) -> str | None:
    if not services.catalog.terminate_upload(upload.id, reason=EXPIRED):
        return None  # its last byte came just now
    services.uploads.remove(upload.id)
    services.objects.delete(store_key(upload))  # a client may have completed it just now, straight at the store
    services.tally.ended(EXPIRED.code)
    return "expired"


def _remove_orphans(services: Services, uploads: Sequence[str]) -> tuple[str, ...]:
    before = services.clock.now() - ORPHAN_AGE
    removed = []
    for upload in uploads:
        try:
            if _is_orphan(services, upload, before):
                _remove_orphan(services, upload)
                removed.append(upload)
        except OSError as error:
            log.warning("what is left of upload %s cannot be removed yet: %s", upload, error)
    services.uploads.sweep(before)
    for left in [found.key for found in services.objects.list(EARLY) if found.modified < before]:
        services.objects.delete(left)
    return tuple(removed)


def _remove_orphan(services: Services, upload: str) -> None:
    with suppress(NotFound):
        found = services.catalog.upload(upload)
        if found.kind == "direct" and found.state == "terminated":  # its end was cut short by a kill
            services.objects.delete(store_key(found))
    services.uploads.remove(upload)


def _is_orphan(services: Services, upload: str, before: float) -> bool:
    try:
        found = services.catalog.upload(upload)
        return found.state != "open" and not (found.kind == "part" and found.state == "finished")
    except NotFound:
        pass
    try:
        return services.uploads.stat(upload).modified < before
    except UploadMissing:
        return False
