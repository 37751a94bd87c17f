"""The import of a back catalogue: each file becomes an asset, once, however often the import is begun.

What is imported already is known by its name among the arrivals: place, version and tenant. A file under way has an open
upload; a second run goes on with it:

| killed after | is left | then |
|---|---|---|
| asset, upload and arrival, which are one | an open upload | the same name leads to it |
| some bytes | an upload of so many | the rest is appended |
| the copy, or the hand-over | an object, an open upload | the object is found, and the upload finished |
| the upload's end | an asset with a source | the file is skipped |

An upload belongs to one import at a time, by a lease (`Catalog.take_hold`); that of a killed one expires.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from rushes.catalog.arrival import Arrival
from rushes.catalog.catalog import Catalog
from rushes.catalog.holds import Held, Wanted
from rushes.catalog.records import Upload
from rushes.clock import Clock
from rushes.engine.graph import BACK_CATALOGUE
from rushes.errors import REASONS
from rushes.facts import SourceRef
from rushes.ingest.collection import BucketCollection, Collection, Found, Replaced
from rushes.ingest.manifest import Entry
from rushes.ingest.metadata import MAX_NAME, MAX_VALUE
from rushes.ingest.rate import Pacer, Rate
from rushes.ingest.store import UploadBusy, UploadDamaged, UploadStore
from rushes.keys import new_id, source_key
from rushes.model import Asset
from rushes.noun import Reason
from rushes.settings import Settings
from rushes.storage.across import copy_across
from rushes.storage.bucket import Bucket
from rushes.storage.store import ObjectMissing, ObjectStore, StoreError
from rushes.text import one_line

PIECE = 2**20
LEASE = 6.0
"""Seconds; renewed while bytes flow. So long a second run waits for a first one that was killed."""
LOOK = 0.5
SUFFIXES = (
    *(".3g2", ".3gp", ".asf", ".avi", ".dv", ".f4v", ".flv", ".gif", ".m2t", ".m2ts", ".m2v", ".m4v", ".mkv", ".mov"),
    *(".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".ogm", ".ogv", ".ts", ".vob", ".webm", ".wmv"),
)
"""Endings of names that are taken for videos; what they are, the probe says."""


class Stopped(Exception):
    """The import is to end; what was stored is kept."""


@dataclass(frozen=True)
class Done:
    """What became of one file. `code` and `message` say why it was skipped or refused."""

    path: str
    outcome: Literal["imported", "skipped", "refused"]
    asset: str = ""
    size: int = 0
    code: str = ""
    message: str = ""


@dataclass(frozen=True)
class Site:
    """Where an import brings its files."""

    catalog: Catalog
    objects: ObjectStore
    uploads: UploadStore
    settings: Settings
    clock: Clock

    @property
    def bucket(self) -> Bucket | None:
        return Bucket.parse(self.settings.storage) if self.settings.storage.startswith("s3://") else None


def looks_like_video(path: str) -> bool:
    return path.lower().endswith(SUFFIXES)


@dataclass
class Importer:
    """Used by several threads. `stop` ends all of them at the next piece."""

    site: Site
    collection: Collection
    tenant: str
    rate: Rate | None = None
    profile: str = ""
    """Empty: that of the settings. An entry of a manifest may say another."""
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._owner = secrets.token_hex(8)
        self._pacer = Pacer(self.rate.per_second) if self.rate else None
        self._turn = threading.Lock()

    def bring(self, found: Found, entry: Entry | None = None) -> Done:
        """Import one file, or find that it is there. Raises Stopped, StoreError, OSError, DatabaseUnavailable."""
        if refusal := self._refusal(found):
            return self._refused(found, refusal)
        arrival = self.site.catalog.create_arrival(*self._mint(found, entry), name=self._name(found, entry))
        if not arrival.is_new and arrival.upload.state != "open":
            return Done(found.path, "skipped", arrival.asset.id, found.size, "imported_before", _BEFORE)
        try:
            with self._held(arrival.upload) as hold:
                return self._bring(found, arrival, hold)
        except (_Busy, UploadBusy):
            return Done(found.path, "skipped", arrival.asset.id, found.size, "in_progress", _BUSY)

    def rehearse(self, found: Found, entry: Entry | None = None) -> Done:
        """What `bring` would do. Changes nothing."""
        if refusal := self._refusal(found):
            return self._refused(found, refusal)
        arrival = self.site.catalog.arrival(self._name(found, entry))
        if arrival is not None and arrival.upload.state != "open":
            return Done(found.path, "skipped", arrival.asset.id, found.size, "imported_before", _BEFORE)
        return Done(found.path, "imported", size=found.size)

    def _refusal(self, found: Found) -> str:
        """The reason code; empty where it is taken."""
        if not found.size:
            return "empty_file"
        return "over_limit_bytes" if found.size > self.site.settings.upload_max_bytes else ""

    def _refused(self, found: Found, code: str, asset: str = "") -> Done:
        return Done(found.path, "refused", asset, found.size, code, REASONS[code])

    def _name(self, found: Found, entry: Entry | None) -> str:
        what = f"{self._tenant(entry)} {self.collection.identity(found)}"
        return f"import:{hashlib.sha256(what.encode('utf-8', 'surrogateescape')).hexdigest()}"

    def _tenant(self, entry: Entry | None) -> str:
        return entry.tenant if entry and entry.tenant else self.tenant

    def _mint(self, found: Found, entry: Entry | None) -> tuple[Upload, Asset]:
        now, settings, tenant = self.site.clock.now(), self.site.settings, self._tenant(entry)
        filename = one_line(found.path.rpartition("/")[2], MAX_NAME)
        metadata = {**(entry.all_metadata if entry else {}), "imported_from": one_line(found.path, MAX_VALUE)}
        asset = Asset(
            id=new_id(now),
            tenant=tenant,
            title=(entry.title if entry else "") or filename,
            metadata=metadata,
            created_at=now,
            profile=(entry.profile if entry else "") or self.profile or settings.profile,
            policy=settings.policy,
            priority=BACK_CATALOGUE,
        )
        upload = Upload(
            id=new_id(now), asset=asset.id, tenant=tenant, kind="fetched", length=found.size,
            metadata={"filename": filename}, created_at=now, expires_at=now + settings.upload_expiry,
        )  # fmt: skip
        return upload, asset

    # -- one at a time ------------------------------------------------------------------------------------------------

    @contextmanager
    def _held(self, upload: Upload) -> Iterator[_Hold]:
        """Raises _Busy where another import has it and lives."""
        catalog, clock = self.site.catalog, self.site.clock
        deadline = clock.monotonic() + LEASE + 2 * LOOK
        while not (fence := catalog.take_hold(upload.id, self._owner, LEASE, Wanted.NO).fence):
            if clock.monotonic() > deadline:
                raise _Busy
            self._pause(LOOK)
        try:
            yield _Hold(catalog, clock, upload.id, self._owner, fence)
        finally:
            catalog.release_hold(upload.id, self._owner, fence)

    def _bring(self, found: Found, arrival: Arrival, hold: _Hold) -> Done:
        upload, key = arrival.upload, source_key(arrival.asset.tenant, arrival.asset.id, 1)
        try:
            if not self._is_there(key, found.size):
                self._pace(1, "objects")
                self._fetch(found, upload, key, hold)
        except (Replaced, ObjectMissing, UploadDamaged):
            reason = Reason(code="pull_changed", message=REASONS["pull_changed"])
            self.site.catalog.terminate_upload(upload.id, reason=reason)
            self.site.uploads.remove(upload.id)
            return self._refused(found, reason.code, arrival.asset.id)
        source = SourceRef(key=key, version=1, size=found.size, filename=upload.metadata["filename"])
        asset = self.site.catalog.finish_upload(upload.id, source)
        if asset.source is None:
            self.site.objects.delete(key)  # given up meanwhile
            return Done(found.path, "skipped", asset.id, found.size, "cancelled", REASONS["cancelled"])
        self.site.uploads.remove(upload.id)
        return Done(found.path, "imported", asset.id, found.size)

    def _is_there(self, key: str, size: int) -> bool:
        try:
            return self.site.objects.head(key).size == size
        except ObjectMissing:
            return False

    def _fetch(self, found: Found, upload: Upload, key: str, hold: _Hold) -> None:
        if not self._copy(found, key):
            self._stream(found, upload, key, hold)
            self.site.uploads.hand_over(upload.id, self.site.objects, key)

    def _copy(self, found: Found, key: str) -> bool:
        """By the server that has both. False where there is none, or it does not want to."""
        target = self.site.bucket
        if target is None or not isinstance(self.collection, BucketCollection):
            return False
        if not target.is_beside(self.collection.bucket):
            return False
        self._pace(found.size, "bytes")
        try:
            copy_across(self.collection.bucket, found.path, found.version, target, key)
        except ObjectMissing:
            raise
        except StoreError:  # these keys may read the one and write the other, but not copy: then by way of us
            return False
        return True

    def _stream(self, found: Found, upload: Upload, key: str, hold: _Hold) -> None:
        self.site.uploads.create(upload.id, key, found.size)
        appender = self.site.uploads.append(upload.id, hold.fence)
        try:
            with self.collection.open(found, appender.size) as file:
                try:
                    while piece := file.read(PIECE):
                        self._pace(len(piece), "bytes")
                        appender.write([piece])
                        hold.renew()
                finally:
                    appender.commit()  # whatever ended it
            size = appender.size
        finally:
            appender.close()
        self.collection.check(found)
        if size != found.size:
            raise Replaced(found.path)

    # -- pace ---------------------------------------------------------------------------------------------------------

    def _pace(self, amount: int, of: str) -> None:
        """Raises Stopped."""
        delay = 0.0
        if self._pacer is not None and self.rate is not None and self.rate.of == of:
            with self._turn:
                delay = self._pacer.delay(amount, self.site.clock.monotonic())
        self._pause(delay)

    def _pause(self, seconds: float) -> None:
        if self.stop.wait(seconds) if seconds > 0 else self.stop.is_set():
            raise Stopped


class _Busy(Exception):
    """Another import has this upload."""


_BEFORE = "It was imported before."
_BUSY = "Another import is at it."


@dataclass
class _Hold:
    """The lease of one upload."""

    catalog: Catalog
    clock: Clock
    upload: str
    owner: str
    fence: int

    def __post_init__(self) -> None:
        self._renewed = self.clock.monotonic()

    def renew(self) -> None:
        """Now and then. Raises _Busy where it was lost."""
        if self.clock.monotonic() - self._renewed < LEASE / 3:
            return
        self._renewed = self.clock.monotonic()
        if self.upload not in self.catalog.renew_holds(self.owner, LEASE, {self.upload: Held(self.fence, 0.0)}):
            raise _Busy
