"""One writer of an upload into S3: it gathers a part, sends it while the next one fills, and stores states.

See `rushes.ingest.s3` for what is stored when, and why. Memory: `MEMORY`, or two parts where these are larger.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from typing import Any

from rushes.clock import SystemClock
from rushes.ingest.multipart import LEAST_PART, MIB, MOST_PARTS, USUAL_PART, Receipt, State, Target
from rushes.ingest.s3_states import Found, Litter, StateLog, full_store, missing_upload
from rushes.ingest.store import Piece, StoreFull, UploadMissing
from rushes.storage.bucket import Bucket
from rushes.storage.signing import Hashed
from rushes.storage.store import Headers, StoreError

SAVE_EVERY = 2.0
"""Seconds after which a request that is still under way stores what its full parts come to: so much is lost at most."""
MEMORY = 16 * MIB
"""Bytes that one writer holds: a part that fills, and as many on their way as there is room for beside it."""

MOST_AT_ONCE = 4
"""Parts on their way."""


class Multiparts:
    """What the writers of one store share."""

    def __init__(
        self, bucket: Bucket, litter: Litter, smallest: int = USUAL_PART, save_every: float = SAVE_EVERY
    ) -> None:
        self.bucket, self.litter = bucket, litter
        self.least = min(smallest, LEAST_PART)
        self.save_every = save_every
        self._spare: deque[Hashed] = deque(maxlen=1)
        """The buffer of a part that was sent: to have one from the kernel costs as much as to fill it."""

    def buffer(self) -> Hashed:
        """An empty one; whatever is in it is of an earlier part."""
        try:
            return self._spare.pop()
        except IndexError:
            return Hashed()

    def give(self, buffer: Hashed) -> None:
        """It is not needed any more, by nobody."""
        if len(buffer) <= USUAL_PART:
            buffer.reset()
            self._spare.append(buffer)

    def start(self, key: str) -> str:
        """Begin a multipart upload; gives its id."""
        check = {"ChecksumAlgorithm": "CRC32"} if self.bucket.crc32 else {}
        with full_store():
            return self.bucket.start(key, **object_headers(), **check)

    def part(self, target: Target, number: int, body: bytes | bytearray) -> Receipt:
        with full_store():
            part = self.bucket.upload_part(target.key, target.multipart, number, body, checked=self.bucket.crc32)
        return Receipt(part.etag, part.crc32)


def object_headers() -> dict[str, Any]:
    return {"ContentType": Headers().content_type, "CacheControl": Headers().cache_control}


class S3Appender:
    """Gathers a part, sends it while the next one fills, and stores states. After an error nothing more is written."""

    def __init__(
        self,
        multiparts: Multiparts,
        log: StateLog,
        state: State,
        closed: Callable[[str, Found | None], None],
        *,
        unproven: bool,
    ) -> None:
        self._multiparts, self._log, self._closed = multiparts, log, closed
        self._unproven = unproven
        self._flights: deque[tuple[Future[Receipt], Hashed]] = deque()
        self._spare: Hashed | None = None
        """Of a part that was sent: used again, so that nothing grows while one part follows the other."""
        self._senders: ThreadPoolExecutor | None = None
        self._clock = SystemClock()
        self._saved = self._clock.monotonic()
        self._target: Target = state.target
        self._return_to(state)
        if not self._target.multipart and state.tail:
            # Small requests carry what fills no part again and again: the less of it the better.
            self._target = self._fitting(max(self._multiparts.least, len(state.tail)))

    def _return_to(self, state: State) -> None:
        self._target = state.target
        self._owns, self._grows = state.owns, state.grows
        self._receipts = list(state.receipts)
        self._committed = len(self._receipts)
        """Parts that the last commit covers."""
        self._filled = self._durable = len(state.tail)
        """Bytes of the buffer that a state holds too, as long as there is no part."""
        tail = state.tail if isinstance(state.tail, Hashed) else Hashed(state.tail)
        self._buffer = tail if tail else self._multiparts.buffer()
        """Whatever is behind `_filled` is of an earlier part."""
        self._offset = state.offset
        """What the newest state says, or the parts behind it that count by being there."""

    @property
    def size(self) -> int:
        return self._target.covered(len(self._receipts) + len(self._flights)) + self._filled

    def write(self, pieces: Sequence[Piece]) -> None:
        for piece in pieces:
            left = memoryview(piece)
            while left:
                room = self._target.part_size - self._filled
                self._take(left[:room])
                left = left[room:]
                if self._filled == self._target.part_size:
                    self._send()
        self._save_if_due()

    def rollback(self) -> None:
        with suppress(StoreError, StoreFull, UploadMissing):
            self._land_all()
        self._flights.clear()
        multipart, kept = self._target, tuple(self._receipts[: self._committed])
        with missing_upload(self._log.upload):
            committed = self._log.read_committed()
        if len(kept) > len(committed.receipts):
            committed = replace(committed, receipts=kept, tail=b"")
        self._return_to(replace(committed, grows=False))  # parts that are taken back are there, and must not count
        if multipart.multipart:  # stays, and so does its size of parts
            self._target = multipart
        self._offset = self._log.newest.offset

    def commit(self) -> int:
        if self._has_last_part():
            self._send()
        self._land_all()
        if self._parts_say_it():
            self._offset = self.size
        elif self.size != self._offset or not self._log.has_own or (self._log.newest.grows and not self._grows):
            self._save(self._tail())
        self._committed = len(self._receipts)
        self._multiparts.litter.drop(self._log.commit())
        return self._offset

    def commit_if_cheap(self) -> int | None:
        """Once as much came as would be stored again: so tails of states cost at most twice the bytes that come."""
        new = self.size - self._offset
        return self.commit() if new >= self._filled - new else None

    def close(self) -> None:
        if self._senders is not None:
            self._senders.shutdown(wait=False)
        if self._spare is not None:
            self._multiparts.give(self._spare)
            self._spare = None
        known = None
        ours = self._log.has_own or self._log.goes_on
        if ours and self._log.committed is self._log.newest and self.size == self._offset:
            known = Found(self._log.newest, self._state(self._tail()), held=self._log.epoch)
        self._closed(self._log.upload, known)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _parts_say_it(self) -> bool:
        """Whether what came is acknowledged by its parts alone: they count, and nobody's late state can come out on top.
        The end of an upload is a state's, for the parts are gone when they have become an object."""
        ours = self._log.has_own or self._log.goes_on
        return self._grows and ours and not self._filled and self.size != self._target.length

    def _has_last_part(self) -> bool:
        """Whether the buffer is to be sent though it may be shorter than a part: at the end of the upload, so that nothing
        of it has to be read back; or as the first part, whose size all others will have. So a client that sends chunks of
        5 MiB gets parts of 5 MiB, and nothing of it is stored twice."""
        if not self._filled or self.size == self._target.length:
            return bool(self._filled)
        if self._target.multipart or self._filled < self._multiparts.least:
            return False
        self._target = self._fitting(self._filled)
        return self._filled == self._target.part_size

    def _take(self, piece: memoryview) -> None:
        end = self._filled + len(piece)
        self._buffer.hash(piece, self._filled)
        if end <= len(self._buffer):
            with memoryview(self._buffer) as view:
                view[self._filled : end] = piece
        else:
            self._tail().extend(piece)
        self._filled = end

    def _tail(self) -> Hashed:
        del self._buffer[self._filled :]
        return self._buffer

    def _fitting(self, size: int) -> Target:
        """With parts of this size, if 10,000 of them are enough for what the usual ones would be enough for."""
        target = self._target
        most = target.part_size * MOST_PARTS if target.length is None else target.length
        return replace(target, part_size=size) if size * MOST_PARTS >= most and size <= target.part_size else target

    def _send(self) -> None:
        if not self._target.multipart:
            self._begin()
        elif self._unproven and self._log.newest.grows:
            self._grows = False
            self._save(bytes(self._buffer[: self._durable]))
        flights = min(MOST_AT_ONCE, max(1, MEMORY // self._target.part_size - 1))
        while len(self._flights) >= flights:
            self._land()
        body, self._buffer = self._tail(), self._spare or Hashed()
        self._filled, self._spare = 0, None
        self._buffer.reset()
        self._senders = self._senders or ThreadPoolExecutor(flights, "part")
        number = len(self._receipts) + len(self._flights) + 1
        self._flights.append((self._senders.submit(self._multiparts.part, self._target, number, body), body))

    def _begin(self) -> None:
        """Start the multipart upload, and store at once that it belongs to somebody: else a sweep might end it, and a
        successor would start another one."""
        self._target = replace(self._target, multipart=self._multiparts.start(self._target.key))
        self._grows = not self._unproven
        self._save(bytes(self._buffer[: self._durable]))

    def _save_if_due(self) -> None:
        """What the full parts come to, unless they say it; without the tail, which would be sent again and again."""
        if self._unproven or self._grows or self._clock.monotonic() - self._saved < self._multiparts.save_every:
            return
        while self._flights and self._flights[0][0].done():
            self._land()
        if self._target.covered(len(self._receipts)) > self._offset:
            self._save(b"")

    def _land(self) -> None:
        """Wait for the first part on its way. An error stays: the parts behind a lost one must not count. Then nothing of
        ours is under way any more, so that no late part comes behind the right one that a successor sends."""
        try:
            with missing_upload(self._log.upload):
                self._receipts.append(self._flights[0][0].result())
        except BaseException:
            wait([flight for flight, _ in self._flights])
            raise
        _, self._spare = self._flights.popleft()

    def _land_all(self) -> None:
        while self._flights:
            self._land()

    def _state(self, tail: bytes | bytearray) -> State:
        grows = self._grows and self.size != self._target.length
        return State(self._target, tuple(self._receipts), tail, self._owns, grows)

    def _save(self, tail: bytes | bytearray) -> None:
        self._offset = self._log.store(self._state(tail))
        self._durable = len(tail)
        self._saved = self._clock.monotonic()
