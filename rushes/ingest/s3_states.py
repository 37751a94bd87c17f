"""The states of uploads in a bucket: finding, reading and storing them, and what this process knows of them.

See `rushes.ingest.s3` for what a state is and which one counts.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from rushes.ingest.multipart import MIB, ROOT, DamagedState, Name, Receipt, State, grown, prefix
from rushes.ingest.store import Stored, StoreFull, UploadBusy, UploadMissing
from rushes.keys import is_id
from rushes.storage.bucket import BULK, Bucket, Part, StoreQuota, StoreRefused
from rushes.storage.store import ObjectMissing, StoreError

KEPT_TAILS = 16 * MIB
"""Bytes of tails that a process keeps of uploads between two requests; the others are read again."""
KEPT_STATES = 1000
_LOOKS = 5
"""Times a state may be replaced between finding and reading it; each is a commit of somebody else."""


@dataclass(frozen=True)
class Found:
    """The newest state of an upload. `older` are those below it, as far as they are known."""

    name: Name
    state: State
    older: tuple[Name, ...] = ()
    held: int = 0
    """The fence under which this process had it last, and has stored it; 0 where it was read."""


class StateLog:
    """The states of one upload, as one writer stores them. Of an `epoch` that it found, it goes on with the count."""

    def __init__(self, bucket: Bucket, found: Found, epoch: int) -> None:
        self.upload, self.epoch = found.name.upload, epoch
        self.newest = self.committed = found.name
        self._bucket = bucket
        self._first = found.name
        self._older = list(found.older)
        self.goes_on = bool(found.held)
        """Whether the newest state is of this process, and nobody can have come in between."""

    @property
    def has_own(self) -> bool:
        """Whether a state of this writer counts. Until then, a late one of a writer in between may come out on top, so
        nothing may be acknowledged."""
        return self.newest is not self._first

    def store(self, state: State) -> int:
        """Gives the offset that is safe now."""
        name = self.newest.next(state, self.epoch)
        with full_store():
            self._bucket.put(str(name), state.encode())
        self._older.append(self.newest)
        self.newest = name
        return state.offset

    def commit(self) -> Sequence[Name]:
        """The newest state is what a rollback comes back to. Gives those that nobody needs any more."""
        self.committed = self.newest
        superseded, self._older = self._older, []
        return superseded

    def read_committed(self) -> State:
        return read_state(self._bucket, self.committed)


class States:
    """Names tell nearly everything, so that a listing is enough for `stat`, but for a state that grows; contents are read
    where a writer needs them.

    `alone`: no other process ever writes here. Then what this process stored last is the newest; else it is if the
    lock's fence rose by one, so that nobody held the lock in between, and a listing has to tell if it did not.
    That holds because an epoch then *is* the fence of the lock that its writer held.
    """

    def __init__(self, bucket: Bucket, *, alone: bool) -> None:
        self._bucket, self._alone = bucket, alone
        self._known: OrderedDict[str, Found] = OrderedDict()
        self._lock = threading.Lock()

    def all(self, upload: str = "") -> Iterator[tuple[Name, Stored]]:
        """Of one upload or of all, the oldest first: names sort as they are listed."""
        for found in self._bucket.list(prefix(upload) if upload else ROOT):
            if name := Name.parse(found["Key"]):
                yield name, Stored(name.offset, found["LastModified"].timestamp())

    def of(self, upload: str) -> Sequence[tuple[Name, Stored]]:
        """Raises UploadMissing."""
        if not is_id(upload) or not (found := sorted(self.all(upload), key=lambda each: each[0])):
            raise UploadMissing(upload)
        return found

    def stat(self, upload: str) -> Stored:
        """Raises UploadMissing."""
        for _ in range(_LOOKS):
            *_, (name, stored) = self.of(upload)
            if not name.grows:
                return stored
            with suppress(ObjectMissing):  # somebody stored a newer one and deleted this
                state, modified = self.grown(read_state(self._bucket, name))
                return Stored(state.offset, max(stored.modified, modified))
        raise StoreError(f"{prefix(upload)}: the state that was listed cannot be read")

    def newest(self, upload: str, fence: int = 0) -> Found:
        """`fence`: of the lock that the caller holds, if it knows. Raises UploadMissing.

        The caller may keep the tail: it is not known here any more. A state that this process does not go on with grows
        no more.
        """
        known = self._forget(upload)
        if known and (self._alone or (fence and known.held == fence - 1)):
            return known
        for _ in range(_LOOKS):
            *older, (name, _) = self.of(upload)
            with suppress(ObjectMissing):  # somebody stored a newer one and deleted this
                state = known.state if known and known.name == name else read_state(self._bucket, name)
                state, _ = self.grown(state)
                return Found(name, replace(state, grows=False), tuple(each for each, _ in older))
        raise StoreError(f"{prefix(upload)}: the state that was listed cannot be read")

    def grown(self, state: State) -> tuple[State, float]:
        """With the parts that are there, and when the last one came. Of a multipart upload that is gone there are none."""
        parts: Sequence[Part] = ()
        if state.grows:
            with suppress(ObjectMissing):
                parts = self._bucket.parts(state.target.key, state.target.multipart)
        found = {part.number: (part.size, Receipt(part.etag, part.crc32)) for part in parts}
        return grown(state, found), max((part.modified for part in parts), default=0.0)

    def take(self, upload: str, fence: int) -> tuple[Found, StateLog]:
        """For whoever has the lock, to store states. Raises UploadMissing, or UploadBusy where somebody else has had the
        lock since: a process may be stopped between taking it and this, for longer than it lasts."""
        found = self.newest(upload, fence)
        if self._alone or not fence:
            return found, StateLog(self._bucket, found, max(fence, found.name.epoch + 1))
        if found.name.epoch > fence:
            raise UploadBusy(upload)
        return found, StateLog(self._bucket, found, fence)

    def keep(self, found: Found) -> None:
        """Stored by this process under its lock, as of its epoch, and the newest."""
        with self._lock:
            self._known[found.name.upload] = found
            tails = sum(len(each.state.tail) for each in self._known.values())
            while tails > KEPT_TAILS or len(self._known) > KEPT_STATES:
                _, gone = self._known.popitem(last=False)
                tails -= len(gone.state.tail)

    def forget(self, upload: str) -> None:
        self._forget(upload)

    def _forget(self, upload: str) -> Found | None:
        with self._lock:
            return self._known.pop(upload, None)


class Litter:
    """Deletes superseded states behind the writers' backs, so that no client waits for it.

    What cannot be deleted, or is left by a kill, does no harm: it sorts below, and the removal of the upload finds it.
    """

    def __init__(self, bucket: Bucket, *, background: bool) -> None:
        self._bucket = bucket
        self._thread = ThreadPoolExecutor(1, "tidy") if background else None

    def drop(self, names: Sequence[Name]) -> None:
        if not names:
            return
        if self._thread is None:
            self._delete(names)
        else:
            self._thread.submit(self._delete, names)

    def _delete(self, names: Sequence[Name]) -> None:
        with suppress(StoreError):
            delete_all(self._bucket, [str(name) for name in names])


def delete_all(bucket: Bucket, names: Sequence[str]) -> None:
    """One request for many, where the server has that. Missing ones are no error."""
    if len(names) > 1:
        try:
            for start in range(0, len(names), BULK):
                bucket.delete_many(names[start : start + BULK])
            return
        except StoreRefused:
            raise
        except StoreError:  # some servers want another checksum for this request than others, or lack it
            pass
    for name in names:
        with suppress(ObjectMissing):
            bucket.delete(name)


def read_state(bucket: Bucket, name: Name) -> State:
    """Raises ObjectMissing."""
    return parse_state(name, bucket.read(str(name)))


def parse_state(name: Name, data: bytes) -> State:
    """Raises StoreError."""
    try:
        state = State.decode(data)
    except DamagedState as error:
        raise StoreError(f"{name}: {error}") from error
    if state.offset != name.offset:
        raise StoreError(f"{name}: it says {state.offset}")
    return state


@contextmanager
def missing_upload(upload: str) -> Iterator[None]:
    """Nothing of this name is in the store: the upload is not either."""
    try:
        yield
    except ObjectMissing as error:
        raise UploadMissing(upload) from error


@contextmanager
def full_store() -> Iterator[None]:
    try:
        yield
    except StoreQuota as error:
        raise StoreFull from error
