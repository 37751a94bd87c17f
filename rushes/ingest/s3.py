"""Uploads straight into S3: the parts of a multipart upload to the source's own key, so that finishing copies nothing.

What counts is said by *states* (`rushes.ingest.multipart`), small immutable objects, of which the one that sorts last is
the truth. A byte is acknowledged when a state that covers it is stored. So a process may be killed between any two
requests:

| after | is left | and then |
|---|---|---|
| starting the multipart upload | a multipart upload that no state names | the creation was not answered; `sweep` |
| the first state | an upload of no bytes | the creation was not answered, `recovery` removes it |
| a part | a part that no state names | not acknowledged; the same bytes are sent and stored again |
| the next state | two states | the newer one counts; the next appender removes the older one |
| the deletion of the older state | nothing | |
| the last part, its state | a complete upload | HEAD or recovery hands it over |
| the completion | the object, no multipart upload, a state | the same; the object is recognised by its size |
| the deletion of some states | the older ones go first | the newest says how to remove the rest |

Two writers: an appender opens a new *epoch*, above all before it and above its lock's fence, so the late states of a
process that lost its lock sort below those of the process that has it. Late parts can only replace parts of the same
number, that is the same bytes; other bytes (a client that sends another file) have another ETag than the state says,
which is looked at before the upload is completed, and by the store when it is. Then the upload falls back to the
parts that are right.

Memory: an appender (`rushes.ingest.s3_append`) holds at most two parts, one on its way while the next one fills.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from rushes.ingest.multipart import ROOT, SMALLEST_PART, Name, State, Target, agreeing, mark, part_size, prefix
from rushes.ingest.s3_append import S3Appender, StateLog, full_store, missing_upload, read_state
from rushes.ingest.store import Stored, UploadBusy, UploadDamaged, UploadMissing
from rushes.keys import is_id
from rushes.storage.bucket import Bucket, Part
from rushes.storage.store import Headers, ObjectMissing, ObjectStore, StoreError

SAVE_EVERY = 2.0
"""Seconds after which a request that is still under way stores what its full parts come to: so much is lost at most."""
SOURCES = "sources/"
_ROOM = 2**62
_LOOKS = 5
"""Times a state may be replaced between finding and reading it; each is a commit of somebody else."""


class S3UploadStore:
    """Below `uploads/` of the bucket that the sources are in. Needs a store whose listings show at once what was stored.

    A rule of the bucket that ends unfinished multipart uploads must wait longer than `RUSHES_UPLOAD_EXPIRY`.
    """

    def __init__(self, bucket: Bucket, *, smallest_part: int = SMALLEST_PART, save_every: float = SAVE_EVERY) -> None:
        self._bucket = bucket
        self._smallest_part = smallest_part
        self._save_every = save_every
        self._open: set[str] = set()
        self._lock = threading.Lock()

    def create(self, upload: str, key: str, length: int) -> None:
        if not is_id(upload):
            raise UploadMissing(upload)
        if any(self._states(upload)):
            return
        multipart = self._bucket.start(key, **_headers()) if length else ""
        target = Target(key, length, part_size(length, self._smallest_part), multipart)
        with full_store():
            self._bucket.put(str(Name(upload, 0, 0, 0, mark(multipart))), State(target, ()).encode())

    def stat(self, upload: str) -> Stored:
        return self._found(upload)[-1][1]

    def append(self, upload: str, fence: int = 0) -> S3Appender:
        with self._lock:
            if upload in self._open:
                raise UploadBusy(upload)
            self._open.add(upload)
        try:
            older, name, state = self._newest(upload)
            log = StateLog(self._bucket, name, older, epoch=max(fence, name.epoch + 1))
            return S3Appender(log, state, self._save_every, self._closed)
        except BaseException:
            self._closed(upload)
            raise

    def hand_over(self, upload: str, objects: ObjectStore, key: str) -> None:
        try:
            older, name, state = self._newest(upload)
        except UploadMissing:
            with missing_upload(upload):
                objects.head(key)
            return
        if state.offset != state.target.length:
            raise UploadBusy(upload)
        if not state.target.length:
            self._bucket.put(state.target.key, b"", **_headers())
        else:
            self._complete(StateLog(self._bucket, name, older, name.epoch), state)
        self._verify(upload, state.target)

    def remove(self, upload: str) -> None:
        with suppress(UploadMissing):
            older, name, state = self._newest(upload)
            self._abort(state.target.key, state.target.multipart)
            for each in (*older, name):
                with suppress(ObjectMissing):  # somebody else removes it too
                    self._bucket.delete(str(each))

    def list(self) -> Iterator[tuple[str, Stored]]:
        for upload, states in itertools.groupby(self._states(), key=lambda found: found[0].upload):
            *_, (_, newest) = states
            yield upload, newest

    def sweep(self, before: float) -> int:
        """Multipart uploads that no state names."""
        old = [found for found in self._bucket.uploads(SOURCES) if found["Initiated"].timestamp() < before]
        if not old:
            return 0
        named = {name.mark for name, _ in self._states()}
        orphans = [found for found in old if mark(found["UploadId"]) not in named]
        for found in orphans:
            self._abort(found["Key"], found["UploadId"])
        return len(orphans)

    def free(self) -> int:
        return _ROOM

    # -- states -------------------------------------------------------------------------------------------------------

    def _states(self, upload: str = "") -> Iterator[tuple[Name, Stored]]:
        """Of one upload or of all, the oldest first: names sort as they are listed."""
        for found in self._bucket.list(prefix(upload) if upload else ROOT):
            if name := Name.parse(found["Key"]):
                yield name, Stored(name.offset, found["LastModified"].timestamp())

    def _found(self, upload: str) -> Sequence[tuple[Name, Stored]]:
        """Raises UploadMissing."""
        if not is_id(upload) or not (found := sorted(self._states(upload), key=lambda each: each[0])):
            raise UploadMissing(upload)
        return found

    def _newest(self, upload: str) -> tuple[tuple[Name, ...], Name, State]:
        """The names of the older states, the newest one's, and itself. Raises UploadMissing."""
        for _ in range(_LOOKS):
            *older, (name, _) = self._found(upload)
            with suppress(ObjectMissing):  # somebody stored a newer one and deleted this
                return tuple(each for each, _ in older), name, read_state(self._bucket, name)
        raise StoreError(f"{prefix(upload)}: the state that was listed cannot be read")

    def _closed(self, upload: str) -> None:
        with self._lock:
            self._open.discard(upload)

    # -- the end ------------------------------------------------------------------------------------------------------

    def _complete(self, log: StateLog, state: State) -> None:
        """Nothing where the multipart upload is gone: then it was completed, perhaps behind a time-out, or aborted."""
        target = state.target
        with suppress(ObjectMissing):
            found = self._bucket.parts(target.key, target.multipart)
            good = agreeing(state, [(part.number, part.etag, part.size) for part in found])
            if good < len(state.etags):
                log.store(replace(state, etags=state.etags[:good], tail=b""))
                raise UploadDamaged
            parts = [Part(number, etag, target.size_of(number)) for number, etag in enumerate(state.etags, 1)]
            self._bucket.complete(target.key, target.multipart, parts)

    def _verify(self, upload: str, target: Target) -> None:
        """Raises UploadMissing where there is no object, StoreError where it has another size."""
        with missing_upload(upload):
            size = self._bucket.head(target.key)["ContentLength"]
        if size != target.length:
            raise StoreError(f"{target.key}: it has {size} bytes instead of {target.length}")

    def _abort(self, key: str, multipart: str) -> None:
        """Unless the object is there: on some servers an abort that comes late takes its bytes away."""
        if multipart and not self._exists(key):
            with suppress(ObjectMissing):
                self._bucket.abort(key, multipart)

    def _exists(self, key: str) -> bool:
        try:
            self._bucket.head(key)
        except ObjectMissing:
            return False
        return True


def _headers() -> dict[str, Any]:
    return {"ContentType": Headers().content_type, "CacheControl": Headers().cache_control}
