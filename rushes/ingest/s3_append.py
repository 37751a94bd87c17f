"""One writer of an upload into S3: it gathers a part, sends it while the next one fills, and stores states.

See `rushes.ingest.s3` for what is stored when, and why. At most two parts are held in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress

from rushes.clock import SystemClock
from rushes.ingest.multipart import DamagedState, Name, State, Target
from rushes.ingest.store import StoreFull, UploadMissing
from rushes.storage.bucket import Bucket, Part, StoreQuota
from rushes.storage.store import ObjectMissing, StoreError


class StateLog:
    """The states of one upload, as one writer stores them. Its `epoch` is above all before it."""

    def __init__(self, bucket: Bucket, newest: Name, older: Sequence[Name], epoch: int) -> None:
        self.upload = newest.upload
        self._bucket = bucket
        self._first = self._newest = newest
        self._epoch = epoch
        self._old = list(older)

    def first(self) -> State:
        """The state that was the newest at first. Not to be had after `tidy`."""
        return read_state(self._bucket, self._first)

    @property
    def has_own(self) -> bool:
        """Whether a state of this writer counts. Until then, a late one of a writer in between may come out on top, so
        nothing may be acknowledged."""
        return self._newest is not self._first

    def store(self, state: State) -> int:
        """Gives the offset that is safe now."""
        name = self._newest.next(state.offset, self._epoch)
        self._bucket.put(str(name), state.encode())
        self._old.append(self._newest)
        self._newest = name
        return state.offset

    def tidy(self) -> None:
        """Delete what is superseded. What cannot be deleted now does no harm, and the next appender finds it."""
        with suppress(StoreError):
            while self._old:
                self._bucket.delete(str(self._old[0]))
                self._old.pop(0)

    def part(self, target: Target, number: int, body: bytearray) -> Part:
        return self._bucket.upload_part(target.key, target.multipart, number, body)


def read_state(bucket: Bucket, name: Name) -> State:
    """Raises ObjectMissing."""
    try:
        state = State.decode(bucket.read(str(name)))
    except DamagedState as error:
        raise StoreError(f"{name}: {error}") from error
    if state.offset != name.offset:
        raise StoreError(f"{name}: it says {state.offset}")
    return state


class S3Appender:
    """Gathers a part, sends it while the next one fills, and stores states. After an error nothing more is written."""

    def __init__(self, log: StateLog, state: State, save_every: float, closed: Callable[[str], None]) -> None:
        self._log = log
        self._target = state.target
        self._etags = list(state.etags)
        self._buffer = bytearray(state.tail)
        self._offset = state.offset
        """What the newest state says."""
        self._flight: Future[Part] | None = None
        self._sender: ThreadPoolExecutor | None = None
        self._save_every, self._clock = save_every, SystemClock()
        self._saved = self._clock.monotonic()
        self._closed = closed

    @property
    def size(self) -> int:
        sent = len(self._etags) + (self._flight is not None)
        return min(sent * self._target.part_size, self._target.length) + len(self._buffer)

    def write(self, pieces: Sequence[bytes]) -> None:
        for piece in pieces:
            left = memoryview(piece)
            while left:
                room = self._target.part_size - len(self._buffer)
                self._buffer += left[:room]
                left = left[room:]
                if len(self._buffer) == self._target.part_size:
                    self._send()

    def rollback(self) -> None:
        with suppress(StoreError, StoreFull, UploadMissing):
            self._land()
        state = self._log.first()
        self._etags, self._buffer, self._flight = list(state.etags), bytearray(state.tail), None

    def commit(self) -> int:
        if self._buffer and self.size == self._target.length:
            self._send()  # the last part, so that nothing of it has to be read back
        self._land()
        if self.size != self._offset or not self._log.has_own:
            self._save(self._buffer)
        self._log.tidy()
        return self._offset

    def close(self) -> None:
        if self._sender is not None:
            self._sender.shutdown(wait=False)
        self._closed(self._log.upload)

    def _send(self) -> None:
        self._land()
        body, self._buffer = self._buffer, bytearray()
        self._sender = self._sender or ThreadPoolExecutor(1, "part")
        number = len(self._etags) + 1
        self._flight = self._sender.submit(self._log.part, self._target, number, body)
        landed = len(self._etags) * self._target.part_size
        if landed > self._offset and self._clock.monotonic() - self._saved >= self._save_every:
            self._save(b"")  # while the part is on its way; without the tail, which may not be all of its part

    def _land(self) -> None:
        """Wait for the part on its way. An error stays: the parts behind a lost one must not count."""
        if self._flight is None:
            return
        with missing_upload(self._log.upload), full_store():
            self._etags.append(self._flight.result().etag)
        self._flight = None

    def _save(self, tail: bytes | bytearray) -> None:
        with full_store():
            self._offset = self._log.store(State(self._target, tuple(self._etags), tail))
        self._saved = self._clock.monotonic()


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
