"""Uploads whose bytes a client sends straight to the object store: by presigned addresses of the parts of a multipart upload.

They are uploads like others: a state in the bucket names the multipart upload (`rushes.ingest.s3`), so that expiry, sweep
and removal know of it. What is there is asked of the store and of nobody else, and every step may be repeated:

| killed after | is left | then |
|---|---|---|
| the multipart upload's start | one that no state names | `sweep` |
| the state, the catalog's row | an upload of no bytes | it expires, or is completed |
| the state that names all parts | a complete upload | HEAD, recovery or another call hands it over |
| the completion, by us or by the client | the object | the call, the store's event or recovery's HEAD finds it |
| the giving up | the object that a client had completed | the same call again, or recovery, deletes it |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from rushes.catalog.records import Upload
from rushes.errors import REASONS, Conflict, Refused, RushesError
from rushes.ingest.access import gone
from rushes.ingest.bucket_events import created_in
from rushes.ingest.finish import finish, store_key
from rushes.ingest.metadata import MAX_NAME
from rushes.ingest.multipart import Receipt, State, Target, first_name, part_size, plain
from rushes.ingest.requests import OverLimit
from rushes.ingest.reservations import decide, may_be_refused, rule_of
from rushes.ingest.s3_states import StateLog, States, full_store
from rushes.ingest.services import Services
from rushes.ingest.store import UploadMissing
from rushes.keys import is_id, new_id
from rushes.model import Asset
from rushes.noun import Noun, Reason
from rushes.options import Asked, Clip, Mark, Playback
from rushes.states import AssetState
from rushes.storage.bucket import Bucket, Part
from rushes.storage.store import Headers, ObjectMissing
from rushes.text import one_line

PART = 16 * 2**20
"""Bytes of a part, at least: fewer addresses than with the parts that we send ourselves."""
PAGE = 100
"""Addresses that one answer gives."""
LONGEST = 12 * 3600.0
"""Seconds for which an address is good; fresh ones may be asked for."""
_TOLD = 10
"""Numbers of parts that a sentence names."""


class NotHere(RushesError):
    """The sources are files on a local disk."""

    status = 501

    def __init__(self) -> None:
        super().__init__(
            "direct_unavailable", "This server keeps videos on a disk of its own: upload to /files instead."
        )


class Wanted(Noun):
    length: int = Field(ge=1)
    filename: str = ""
    title: str = ""
    metadata: dict[str, str] = Field(default_factory=dict)
    profile: str = ""
    clip: Clip | None = None
    watermark: Mark | None = None
    playback: Playback = "public"

    @property
    def asked(self) -> Asked:
        return Asked(clip=self.clip, watermark=self.watermark, playback=self.playback)


@dataclass(frozen=True)
class PartAddress:
    """Where to PUT the bytes `start` to `start + size` of the file."""

    number: int
    start: int
    size: int
    url: str


@dataclass(frozen=True)
class Plan:
    """An upload, and a page of the addresses of its parts."""

    upload: Upload
    asset: Asset
    part_size: int
    parts: int
    page: tuple[PartAddress, ...]
    complete_url: str
    """CompleteMultipartUpload, for those who want to call it themselves and let the store tell us."""
    expires_at: float
    """Of the addresses."""

    @property
    def next(self) -> int | None:
        """Number of the first part of the next page."""
        last = self.page[-1].number if self.page else self.parts
        return last + 1 if last < self.parts else None


class Direct:
    """Methods block. For tenants: those of others are not there."""

    def __init__(self, services: Services) -> None:
        self._services = services
        storage = services.settings.storage
        self._bucket = Bucket.parse(storage) if storage.startswith("s3://") else None

    def begin(self, tenant: str, request: Mapping[str, Any]) -> Plan:
        """`request` has the fields of `Wanted`. Raises NotHere, OverLimit, and what admission raises."""
        bucket, services = self._there(), self._services
        wanted = Wanted.model_validate(request)
        if wanted.length > services.settings.upload_max_bytes:
            raise OverLimit(services.settings.upload_max_bytes, wanted.length)
        upload, asset = self._mint(tenant, wanted)
        premises = services.gauges.premises(tenant)
        if may_be_refused(upload, premises):
            decide(upload, services.catalog.booked(tenant, None), premises)
        target = _start(bucket, upload)
        try:
            asset = services.catalog.create_upload(upload, asset, rule_of(upload, premises))
        except BaseException:
            services.uploads.remove(upload.id)
            raise
        return self._plan(bucket, upload, asset, target, 1)

    def look(self, tenant: str, upload_id: str, first: int = 1) -> Plan:
        """Addresses from part `first` on. Raises NotFound, and Conflict where there is nothing more to send."""
        bucket = self._there()
        upload = self._owned(tenant, upload_id)
        if upload.state != "open":
            raise Conflict("upload_ended", "This upload has ended: there is nothing more to send.")
        asset = self._asset(upload)
        try:
            target = States(bucket, alone=False).newest(upload.id).state.target
        except UploadMissing as error:
            raise gone() from error
        return self._plan(bucket, upload, asset, target, first)

    def complete(self, tenant: str, upload_id: str, etags: Mapping[int, str] | None = None) -> Asset:
        """All parts are sent. `etags` by number, where the client has kept them. Again is harmless.

        Raises NotFound, Conflict (`parts_missing`, `parts_differ`) where the store has others, StoreError.
        """
        bucket = self._there()
        upload = self._owned(tenant, upload_id)
        if upload.state == "terminated":
            raise gone()
        if upload.state == "open" and not finish_if_there(self._services, upload):
            _adopt(bucket, upload, etags)
            finish(self._services, upload)
        return self._asset(upload)

    def abort(self, tenant: str, upload_id: str) -> None:
        """Give an upload up. Raises NotFound, Conflict where it is complete."""
        upload = self._owned(tenant, upload_id)
        if not self._services.catalog.terminate_upload(upload.id):
            raise Conflict("upload_ended", "This upload is complete. Delete its asset instead.")
        self._services.uploads.remove(upload.id)
        self._services.objects.delete(store_key(upload))  # the client may have completed it, and nobody heard

    def heard(self, message: object) -> list[str]:
        """The store tells of objects, in a message as JSON. Gives the ids of the assets that are there now by it; all else
        is passed over.

        Messages may come twice, late, or be made up: the store is asked. Raises StoreError.
        """
        bucket, done = self._there(), list[str]()
        for each in created_in(message):
            if each.bucket in ("", bucket.name) and each.key.startswith(bucket.prefix):
                upload = self._upload_at(each.key.removeprefix(bucket.prefix))
                if upload and upload.asset and finish_if_there(self._services, upload):
                    done.append(upload.asset)
        return done

    # -- inside -------------------------------------------------------------------------------------------------------

    def _there(self) -> Bucket:
        if self._bucket is None:
            raise NotHere
        return self._bucket

    def _owned(self, tenant: str, upload_id: str) -> Upload:
        upload = self._services.catalog.upload(upload_id) if is_id(upload_id) else None
        if upload is None or upload.tenant != tenant or upload.kind != "direct":
            raise gone()
        return upload

    def _upload_at(self, key: str) -> Upload | None:
        """The open direct upload that is to become the object of this key: `sources/{tenant}/{asset}/1`."""
        parts = key.split("/")
        if len(parts) != 4 or parts[0] != "sources" or not is_id(parts[2]):
            return None
        found = self._services.catalog.uploads_of(parts[2])
        open_ones = [
            each for each in found if each.kind == "direct" and each.state == "open" and store_key(each) == key
        ]
        return open_ones[0] if open_ones else None

    def _asset(self, upload: Upload) -> Asset:
        if upload.asset is None:
            raise ValueError(f"{upload.id} has no asset")
        return self._services.catalog.asset(upload.asset)

    def _mint(self, tenant: str, wanted: Wanted) -> tuple[Upload, Asset]:
        settings, now = self._services.settings, self._services.clock.now()
        services = self._services
        services.quotas.check_names(tenant, settings, profile=wanted.profile)
        filename = one_line(wanted.filename.replace("\\", "/").rsplit("/", 1)[-1], MAX_NAME)
        asset = Asset(
            id=new_id(now),
            tenant=tenant,
            title=wanted.title or filename,
            metadata=wanted.metadata,
            created_at=now,
            profile=wanted.profile or settings.profile,
            policy=settings.policy,
            options=services.watermarks.options(tenant, wanted.asked),
        )
        upload = Upload(
            id=new_id(now), asset=asset.id, tenant=tenant, kind="direct", length=wanted.length,
            metadata={"filename": filename}, created_at=now, expires_at=now + settings.upload_expiry,
        )  # fmt: skip
        return upload, asset

    def _plan(self, bucket: Bucket, upload: Upload, asset: Asset, target: Target, first: int) -> Plan:
        seconds = max(1.0, min(LONGEST, upload.expires_at - self._services.clock.now()))
        count = parts_of(target)
        if not 1 <= first <= count:
            raise Refused("no_such_part", f"This upload has the parts 1 to {count}.")
        numbers = range(first, min(first + PAGE, count + 1))
        page = tuple(
            PartAddress(
                number,
                (number - 1) * target.part_size,
                target.size_of(number),
                _address(bucket, target, number, seconds),
            )
            for number in numbers
        )
        whole = bucket.presign(target.key, int(seconds), "complete_multipart_upload", UploadId=target.multipart)
        expires_at = self._services.clock.now() + seconds
        return Plan(upload, asset, target.part_size, count, page, whole, expires_at)


def finish_if_there(services: Services, upload: Upload) -> bool:
    """Whether the object is there, as a client's own completion makes it; then the upload is finished. Blocks.

    One of another size is not what was announced: the upload has failed, and the object goes.
    """
    try:
        found = services.objects.head(store_key(upload))
    except ObjectMissing:
        return False
    services.uploads.remove(upload.id)  # its state, which knows nothing of the parts
    if found.size == upload.length:
        asset = finish(services, upload)
        return asset.state is not AssetState.DELETED
    reason = Reason(code="upload_size_differs", message=REASONS["upload_size_differs"])
    if services.catalog.terminate_upload(upload.id, reason=reason):
        services.objects.delete(store_key(upload))
    return False


def parts_of(target: Target) -> int:
    return -(-(target.length or 0) // target.part_size)


def _start(bucket: Bucket, upload: Upload) -> Target:
    """A multipart upload without checksums of ours, which a client would have to send along; and the state that names it."""
    key = store_key(upload)
    with full_store():
        multipart = bucket.start(key, ContentType=Headers().content_type, CacheControl=Headers().cache_control)
        target = Target(key, upload.length, part_size(upload.length or 0, PART), multipart)
        state = State(target, ())
        bucket.put(str(first_name(upload.id).next(state)), state.encode())
    return target


def _address(bucket: Bucket, target: Target, number: int, seconds: float) -> str:
    """Its length is signed: the store takes no other."""
    return bucket.presign(
        target.key, int(seconds), "upload_part",
        UploadId=target.multipart, PartNumber=number, ContentLength=target.size_of(number),
    )  # fmt: skip


def _adopt(bucket: Bucket, upload: Upload, etags: Mapping[int, str] | None) -> None:
    """Store the state that names all parts, once they are there and as they should be."""
    try:
        found = States(bucket, alone=False).newest(upload.id)
        if found.state.is_whole:
            return
        target = found.state.target
        there = {part.number: part for part in bucket.parts(target.key, target.multipart)}
    except (UploadMissing, ObjectMissing) as error:
        raise gone() from error
    numbers = range(1, parts_of(target) + 1)
    _check_sizes(target, there, numbers)
    if etags is not None:
        _check_etags(there, etags, numbers)
    receipts = tuple(Receipt(there[number].etag) for number in numbers)
    StateLog(bucket, found, found.name.epoch + 1).store(State(target, receipts))


def _check_sizes(target: Target, there: Mapping[int, Part], numbers: Sequence[int]) -> None:
    missing = [number for number in numbers if number not in there]
    if missing:
        raise Conflict("parts_missing", f"{len(missing)} parts are not there yet: {_some(missing)}.")
    wrong = [number for number in numbers if there[number].size != target.size_of(number)]
    if wrong:
        raise Conflict("parts_differ", f"These parts have another size than they should: {_some(wrong)}.")


def _check_etags(there: Mapping[int, Part], etags: Mapping[int, str], numbers: Sequence[int]) -> None:
    wrong = [number for number in numbers if plain(etags.get(number, "")) != plain(there[number].etag)]
    if wrong or set(etags) - set(numbers):
        raise Conflict("parts_differ", f"These parts are not those that were sent: {_some(wrong or list(etags))}.")


def _some(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:_TOLD])) + (" ..." if len(numbers) > _TOLD else "")
