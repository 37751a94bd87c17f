"""Uploads in memory: for tests, yours too. Keeps the contract except that nothing survives the process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from rushes.clock import SystemClock
from rushes.ingest.store import Stored, StoreFull, UploadBusy, UploadMissing
from rushes.storage.store import ObjectMissing, ObjectStore


@dataclass
class _Bytes:
    data: bytearray = field(default_factory=bytearray)
    modified: float = 0.0
    busy: bool = False


class MemoryUploadStore:
    def __init__(self, *, capacity: int = 2**30, now: Callable[[], float] | None = None) -> None:
        self._uploads: dict[str, _Bytes] = {}
        self._capacity = capacity
        self._now = now or SystemClock().now

    def create(self, upload: str, key: str, length: int) -> None:
        self._uploads.setdefault(upload, _Bytes(modified=self._now()))

    def stat(self, upload: str) -> Stored:
        found = self._find(upload)
        return Stored(size=len(found.data), modified=found.modified)

    def append(self, upload: str, fence: int = 0) -> MemoryAppender:
        found = self._find(upload)
        if found.busy:
            raise UploadBusy(upload)
        return MemoryAppender(found, self.free, self._now)

    def hand_over(self, upload: str, objects: ObjectStore, key: str) -> None:
        found = self._uploads.get(upload)
        if found is not None:
            objects.put_bytes(key, bytes(found.data))
            return
        try:
            objects.head(key)
        except ObjectMissing as error:
            raise UploadMissing(upload) from error

    def remove(self, upload: str) -> None:
        self._uploads.pop(upload, None)

    def list(self) -> Iterator[tuple[str, Stored]]:
        return iter([(upload, self.stat(upload)) for upload in sorted(self._uploads)])

    def sweep(self, before: float) -> int:
        return 0

    def free(self) -> int:
        return self._capacity - sum(len(found.data) for found in self._uploads.values())

    def _find(self, upload: str) -> _Bytes:
        try:
            return self._uploads[upload]
        except KeyError as error:
            raise UploadMissing(upload) from error


class MemoryAppender:
    def __init__(self, target: _Bytes, free: Callable[[], int], now: Callable[[], float]) -> None:
        self._target, self._free, self._now = target, free, now
        self._start = len(target.data)
        target.busy = True

    @property
    def size(self) -> int:
        return len(self._target.data)

    def write(self, pieces: Sequence[bytes]) -> None:
        for piece in pieces:
            room = self._free()
            self._target.data += piece[:room]
            if len(piece) > room:
                raise StoreFull
        self._target.modified = self._now()

    def rollback(self) -> None:
        del self._target.data[self._start :]

    def commit(self) -> int:
        return self.size

    def close(self) -> None:
        self._target.busy = False
