"""Uploads that are put together from others (tus 1.0.0, Concatenation): whether they can be by now, and doing it.

A joined upload waits for its parts. Whoever completes the last of them sets it going, and so does its own creation, a
HEAD, or the recovery after a kill; each step may be done again:

| killed after | is left | and then |
|---|---|---|
| the last part's last byte | a part that the catalog calls open | HEAD of the part, or recovery, finishes it |
| the part's transaction | a joined upload whose parts are complete | HEAD or recovery joins |
| the bytes were put together | the same | they are put together once more |
| the hand-over | the object, an open upload | the object is recognised by its size |
| the transaction | parts that nobody needs | they expire |

A part that is gone before that, expired or deleted, fails those that wait for it: nothing could complete them any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rushes.catalog.records import Upload
from rushes.errors import REASONS, NotFound, Refused
from rushes.ingest.access import Caller
from rushes.ingest.finish import finish, is_handed_over, store_key
from rushes.ingest.requests import limit_of
from rushes.ingest.services import Services
from rushes.ingest.store import UploadMissing
from rushes.noun import Reason
from rushes.storage.store import StoreError

PART_GONE = Reason(code="upload_part_gone", message=REASONS["upload_part_gone"])
TOO_LARGE = Reason(code="over_limit_bytes", message=REASONS["over_limit_bytes"])


@dataclass(frozen=True)
class Standing:
    """How far the parts of a joined upload are."""

    length: int | None
    """The sum of their lengths, once each is known."""
    is_complete: bool
    """All bytes of all parts are there."""
    is_hopeless: bool
    """A part is gone."""


def standing(parts: Sequence[str], found: Mapping[str, Upload]) -> Standing:
    """Pure. What is not among those found is gone."""
    uploads = [found.get(part) for part in parts]
    lengths = [upload.length if upload else None for upload in uploads]
    return Standing(
        length=None if None in lengths else sum(length or 0 for length in lengths),
        is_complete=all(upload is not None and upload.state == "finished" for upload in uploads),
        is_hopeless=any(upload is None or upload.state == "terminated" for upload in uploads),
    )


def length_of_parts(services: Services, caller: Caller, parts: Sequence[str]) -> int | None:
    """Of an upload that shall be joined from them; None where it cannot be known yet. Blocks.

    Raises Refused where one is not there, not the caller's, or not a part.
    """
    found = look_up(services, parts)
    for part in parts:
        upload = found.get(part)
        if upload is None or upload.state == "terminated" or not caller.reaches(upload):
            raise Refused("part_unknown", "One of the uploads in Upload-Concat is not there. Please upload it again.")
        if upload.kind != "part":
            raise Refused("part_unsuitable", "One of the uploads in Upload-Concat was not created as a partial one.")
    return standing(parts, found).length


def look_up(services: Services, parts: Iterable[str]) -> dict[str, Upload]:
    """Blocks."""
    found: dict[str, Upload] = {}
    for part in sorted(set(parts)):
        try:
            found[part] = services.catalog.upload(part)
        except NotFound:
            continue
    return found


def can_be_joined(services: Services, upload_id: str) -> bool:
    """Whether `join` would copy its parts now. Blocks."""
    upload = services.catalog.upload(upload_id)
    return upload.state == "open" and standing(upload.parts, look_up(services, upload.parts)).is_complete


def join(services: Services, upload_id: str) -> Upload:
    """Put a joined upload together if its parts are complete, fail it if they cannot be. Gives what is true then.

    Blocks; only under the upload's lock. May be interrupted anywhere and done again. Raises StoreError, StoreFull,
    UploadBusy, UploadDamaged.
    """
    upload = services.catalog.upload(upload_id)
    if upload.state != "open":
        return upload
    stands = standing(upload.parts, look_up(services, upload.parts))
    if stands.length is not None and upload.length is None:
        upload = services.catalog.declare_length(upload.id, stands.length)
    if upload.length is not None and is_handed_over(services, upload):
        finish(services, upload)
    elif stands.is_hopeless:
        _give_up(services, upload, PART_GONE)
    elif stands.length is not None and stands.length > limit_of(upload, services.settings.upload_max_bytes):
        _give_up(services, upload, TOO_LARGE)
    elif stands.is_complete:
        _put_together(services, upload)
    return services.catalog.upload(upload.id)


def _put_together(services: Services, upload: Upload) -> None:
    services.uploads.create(upload.id, store_key(upload), upload.length)  # there already, unless a kill came between
    try:
        size = services.uploads.join(upload.id, upload.parts)
    except UploadMissing:
        _give_up(services, upload, PART_GONE)
        return
    if size != upload.length:
        raise StoreError(f"upload {upload.id}: its parts have {size} bytes instead of {upload.length}")
    finish(services, upload)


def _give_up(services: Services, upload: Upload, reason: Reason) -> None:
    if services.catalog.terminate_upload(upload.id, reason=reason):
        services.uploads.remove(upload.id)
        services.tally.ended(reason.code)
