"""Uploads straight into S3: the parts of a multipart upload to the source's own key, so that finishing copies nothing.

What counts is said by *states* (`rushes.ingest.multipart`), small immutable objects, of which the one that sorts last is
the truth. A byte is acknowledged when a state that covers it is stored, or when its part is and the state grows. So a
process may be killed between any two requests:

| after | is left | and then |
|---|---|---|
| the first state | an upload of no bytes | the creation was not answered, `recovery` removes it |
| starting the multipart upload | one that no state names, and empty | `sweep` |
| the state that names it | an upload of the bytes it had | the next writer goes on with it |
| a part | a part that no state names | counts where the state grows; else the same bytes are sent and stored again |
| the next state | two states | the newer one counts; the removal of the upload finds the older one |
| the last part, its state | a complete upload | HEAD or recovery hands it over |
| the completion | the object, no multipart upload, a state | the same; the object is recognised by its size |
| the deletion of some states | the older ones go first | the newest says how to remove the rest |

The bytes of an upload that does not fill a part yet are in its state; a multipart upload begins with the first part.

Two writers: an appender's states have an *epoch*, its lock's fence, so the late states of a process that lost its lock
sort below those of the process that has it; and whoever finds a higher one has lost its lock, and opens nothing
(UploadBusy). Where no other process writes, an epoch is above all before it. Each of them that starts a multipart upload has
its own. Where they have the same one, late parts can only replace parts of the same number, that is the same bytes; other
bytes (a client that sends another file) have another ETag than the state says, which the store finds when the upload is
completed. Then the upload falls back to the parts that are right.

Bytes that must prove right (`unproven`) count when their commit stores a state. Until then they are parts that no state
names; taken back, they lie there until the right ones are sent in their place, or the upload ends.

A state *grows* while only the process that started the multipart upload has sent parts to it, one holder of the lock
after the other with nobody in between, and all that it sent was right. Then the parts say themselves how far the upload
is, and a request that brings a part costs one request. Whoever else takes over lists them, and names what it found in a
state that does not grow before it acknowledges anything; so does a writer before it sends bytes that must prove right,
and when it takes some back. Such a state is followed by none that grows. The end of an upload is a state's as well: once
parts have become an object they cannot be listed. Parts that nothing counts are never taken for received: their bytes
may have been disproved, or be another writer's.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from rushes.ingest.multipart import (
    MOST_PARTS,
    USUAL_PART,
    Name,
    State,
    Target,
    agreeing,
    first_name,
    joint_etag,
    mark,
    part_size,
    plain,
    slices,
)
from rushes.ingest.s3_append import SAVE_EVERY, Multiparts, S3Appender, object_headers
from rushes.ingest.s3_join import Joiner, Source, read
from rushes.ingest.s3_states import Found, Litter, StateLog, States, delete_all, full_store, missing_upload, parse_state
from rushes.ingest.store import Stored, UploadBusy, UploadDamaged, UploadMissing
from rushes.keys import is_id
from rushes.storage.bucket import Bucket, Part, StoreQuota, StoreRefused
from rushes.storage.parcels import digest
from rushes.storage.store import ObjectMissing, ObjectStore, StoreError

PLACES = ("sources/", "parts/")
"""Below these are the objects that uploads become (`rushes.keys`)."""
_ROOM = 2**62


class S3UploadStore:
    """Below `uploads/` of the bucket that the sources are in. Needs a store whose listings show at once what was stored.

    A rule of the bucket that ends unfinished multipart uploads must wait longer than `RUSHES_UPLOAD_EXPIRY`.
    """

    def __init__(
        self,
        bucket: Bucket,
        *,
        largest: int = MOST_PARTS * USUAL_PART,
        alone: bool = False,
        smallest_part: int = USUAL_PART,
        save_every: float = SAVE_EVERY,
        tidy_behind: bool = True,
    ) -> None:
        """`largest`: bytes of the largest upload that may come, for those whose length is not known. `alone`: this is the
        only process that writes uploads here (`States`). `tidy_behind`: superseded states are deleted by a thread."""
        self._bucket = bucket
        self._largest = largest
        self._smallest_part = smallest_part
        self._states = States(bucket, alone=alone)
        self._litter = Litter(bucket, background=tidy_behind)
        self._multiparts = Multiparts(bucket, self._litter, smallest_part, save_every)
        self._joiner = Joiner(self._multiparts)
        self._open: set[str] = set()
        self._handed_over: dict[str, Found] = {}
        self._lock = threading.Lock()

    def create(self, upload: str, key: str, length: int | None) -> None:
        if not is_id(upload):
            raise UploadMissing(upload)
        size = part_size(self._largest if length is None else length, self._smallest_part)
        with full_store():
            self._bucket.put(str(first_name(upload)), State(Target(key, length, size, ""), ()).encode())

    def declare(self, upload: str, length: int, fence: int = 0) -> None:
        found, log = self._states.take(upload, fence)
        target = found.state.target
        if target.length is None:
            target = replace(target, length=length)
            size = part_size(length, self._smallest_part)
            if not target.multipart and len(found.state.tail) <= size:
                target = replace(target, part_size=size)
            self._states.keep(self._stored(log, replace(found.state, target=target)))

    def join(self, upload: str, parts: Sequence[str]) -> int:
        found = self._states.newest(upload)
        if found.state.target.length is not None and found.state.is_whole:
            return found.state.offset
        known = {part: self._source(part) for part in dict.fromkeys(parts)}
        sources = [known[part] for part in parts]
        total = sum(source.length for source in sources)
        size = part_size(total, 2 * self._smallest_part)  # copies cost requests, not memory
        if total <= size:
            whole = [piece for part in slices([source.length for source in sources], size) for piece in part]
            target = replace(found.state.target, length=total, part_size=size, multipart="")
            self._store(found, State(target, (), read(self._bucket, sources, whole)))
            return total
        found = self._started(found, total, size)
        receipts = self._joiner.join(found.state.target, sources)
        self._store(found, State(found.state.target, receipts))
        return total

    def stat(self, upload: str) -> Stored:
        return self._states.stat(upload)

    def append(self, upload: str, fence: int = 0, *, unproven: bool = False) -> S3Appender:
        with self._lock:
            if upload in self._open:
                raise UploadBusy(upload)
            self._open.add(upload)
        try:
            found, log = self._states.take(upload, fence)
            return S3Appender(self._multiparts, log, found.state, self._closed, unproven=unproven)
        except BaseException:
            self._closed(upload, None)
            raise

    def hand_over(self, upload: str, objects: ObjectStore, key: str) -> None:
        try:
            found = self._states.newest(upload)
        except UploadMissing:
            with missing_upload(upload):
                objects.head(key)
            return
        if found.state.target.length is not None and not found.state.is_whole:
            raise UploadBusy(upload)
        found = self._make_object(found)
        self._handed_over[upload] = found

    def remove(self, upload: str) -> None:
        """Of one that this process has handed over, the states that it knows: others are found by `list`."""
        self._states.forget(upload)
        if found := self._handed_over.pop(upload, None):
            self._delete([*found.older, found.name])
            return
        with suppress(UploadMissing):
            found = self._states.newest(upload)
            self._give_up(found.state)
            self._delete([*found.older, found.name])

    def list(self) -> Iterator[tuple[str, Stored]]:
        for upload, states in itertools.groupby(self._states.all(), key=lambda found: found[0].upload):
            *_, (_, newest) = states
            yield upload, newest

    def sweep(self, before: float) -> int:
        """Multipart uploads that no state names."""
        under_way = itertools.chain.from_iterable(map(self._bucket.uploads, PLACES))
        old = [found for found in under_way if found["Initiated"].timestamp() < before]
        if not old:
            return 0
        named = {name.mark for name, _ in self._states.all()}
        orphans = [found for found in old if mark(found["UploadId"]) not in named]
        for found in orphans:
            self._abort(found["Key"], found["UploadId"])
        return len(orphans)

    def free(self) -> int:
        return _ROOM

    # -- states -------------------------------------------------------------------------------------------------------

    def _store(self, found: Found, state: State) -> Found:
        """A state that follows, of the same epoch: the caller has the lock, and opens no appender."""
        return self._stored(StateLog(self._bucket, found, found.name.epoch), state)

    def _stored(self, log: StateLog, state: State) -> Found:
        log.store(state)
        self._litter.drop(log.commit())
        return Found(log.newest, state, held=log.epoch)

    def _delete(self, names: Sequence[Name]) -> None:
        """The newest one last: it says how to remove the rest."""
        delete_all(self._bucket, [str(name) for name in names[:-1]])
        delete_all(self._bucket, [str(names[-1])])

    def _closed(self, upload: str, found: Found | None) -> None:
        if found is not None:
            self._states.keep(found)
        with self._lock:
            self._open.discard(upload)

    # -- joining ------------------------------------------------------------------------------------------------------

    def _source(self, upload: str) -> Source:
        """Where the bytes of a part are; its object is made if need be. Raises UploadMissing, UploadBusy."""
        *_, (name, _) = self._states.of(upload)
        with missing_upload(upload):
            data = self._bucket.read(str(name))
            state, _ = self._states.grown(parse_state(name, data))
            if state.target.length is not None and not state.is_whole:
                raise UploadBusy(upload)
            if not state.target.multipart:
                etag = self._bucket.head(str(name))["ETag"]
                return Source(upload, str(name), etag, len(data) - len(state.tail), len(state.tail))
            found = Found(name, state)
            if not state.owns:  # said before there is an object, so that whoever removes the upload removes it too
                found = self._store(found, replace(state, owns=True))
            self._make_object(found)
            etag = self._bucket.head(state.target.key)["ETag"]
        return Source(upload, state.target.key, etag, 0, found.state.offset)

    def _started(self, found: Found, total: int, size: int) -> Found:
        """The joined upload with its multipart upload, perhaps that of a join that was killed."""
        target = replace(found.state.target, length=total, part_size=size)
        if target.multipart and target == found.state.target:
            with suppress(ObjectMissing):
                self._bucket.parts(target.key, target.multipart)
                return found
        target = replace(target, multipart=self._multiparts.start(target.key))
        return self._store(found, State(target, ()))

    # -- the end ------------------------------------------------------------------------------------------------------

    def _make_object(self, found: Found) -> Found:
        """Gives the newest state. Raises UploadMissing, UploadDamaged, StoreError. May be repeated.

        By completion also where a put would do: it happens at most once, while the late put of a stopped process could
        bring back what was deleted.
        """
        if found.name.grows:  # the parts cannot be listed any more when they are an object
            found = self._store(found, replace(found.state, grows=False))
        state, target = found.state, found.state.target
        if not state.offset:
            self._abort(target.key, target.multipart)  # it was to have parts, but has none
            with full_store():
                self._bucket.put(target.key, b"", ContentMD5=digest(b""), **object_headers())
            return found
        if state.tail:  # the length was said, if ever, when the last bytes were there already
            if not target.multipart:
                target = replace(target, multipart=self._multiparts.start(target.key))
                found = self._store(found, replace(state, target=target))
            with missing_upload(found.name.upload):
                receipt = self._multiparts.part(target, len(state.receipts) + 1, state.tail)
            target = replace(target, length=state.offset)
            found = self._store(found, replace(state, target=target, receipts=(*state.receipts, receipt), tail=b""))
        self._complete(found)
        return found

    def _complete(self, found: Found) -> None:
        """The store compares the ETags. Whatever else it says, what it has decides: an answer may be lost."""
        state, target = found.state, found.state.target
        parts = [
            Part(number, receipt.etag, target.size_of(number), receipt.crc32)
            for number, receipt in enumerate(state.receipts, 1)
        ]
        try:
            self._bucket.complete(target.key, target.multipart, parts)
        except ObjectMissing:  # it was completed, perhaps behind a time-out, or aborted
            self._verify(found)
        except (StoreRefused, StoreQuota):
            raise
        except StoreError:
            with suppress(ObjectMissing):
                self._fall_back(found)
                raise
            self._verify(found)

    def _fall_back(self, found: Found) -> None:
        """Raises UploadDamaged where parts are not those that were acknowledged, ObjectMissing where there are none."""
        state = found.state
        there = self._bucket.parts(state.target.key, state.target.multipart)
        good = agreeing(state, [(part.number, part.etag, part.size) for part in there])
        if good < len(state.receipts):
            self._store(found, replace(state, receipts=state.receipts[:good], tail=b""))
            raise UploadDamaged

    def _verify(self, found: Found) -> None:
        """Raises UploadMissing where there is no object, StoreError where it has another size."""
        key, length = found.state.target.key, found.state.offset
        with missing_upload(found.name.upload):
            size = self._bucket.head(key)["ContentLength"]
        if size != length:
            raise StoreError(f"{key}: it has {size} bytes instead of {length}")

    def _give_up(self, state: State) -> None:
        target = state.target
        if state.owns and self._exists(target.key):
            with suppress(ObjectMissing):
                self._bucket.delete(target.key)
        else:
            self._abort(target.key, target.multipart)

    def _abort(self, key: str, multipart: str) -> None:
        """Unless the object at the key is made of it: some servers list a multipart upload for a while after it was
        completed, and then an abort takes the object's bytes away."""
        with suppress(ObjectMissing):
            if multipart and not self._is_object(key, multipart):
                self._bucket.abort(key, multipart)

    def _is_object(self, key: str, multipart: str) -> bool:
        """Raises ObjectMissing where there is no such multipart upload."""
        parts = self._bucket.parts(key, multipart)
        try:
            etag = plain(self._bucket.head(key)["ETag"])
        except ObjectMissing:
            return False
        return etag == joint_etag([part.etag for part in parts])

    def _exists(self, key: str) -> bool:
        try:
            self._bucket.head(key)
        except ObjectMissing:
            return False
        return True
