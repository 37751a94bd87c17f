"""Uploads in memory: for tests, yours too. Keeps the contract except that nothing survives the process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from rushes.clock import SystemClock
from rushes.ingest.store import Piece, Stored, StoreFull, UploadBusy, UploadMissing
from rushes.storage.store import ObjectMissing, ObjectStore


@dataclass
class _Bytes:
    data: bytearray = field(default_factory=bytearray)
    modified: float = 0.0
    busy: bool = False
    proven: int | None = None
    """How many of the bytes count; None: all."""

    @property
    def size(self) -> int:
        return len(self.data) if self.proven is None else self.proven


class MemoryUploadStore:
    def __init__(self, *, capacity: int = 2**30, now: Callable[[], float] | None = None) -> None:
        self._uploads: dict[str, _Bytes] = {}
        self._capacity = capacity
        self._now = now or SystemClock().now

    def create(self, upload: str, key: str, length: int | None) -> None:
        self._uploads.setdefault(upload, _Bytes(modified=self._now()))

    def declare(self, upload: str, length: int, fence: int = 0) -> None:
        self._find(upload)

    def join(self, upload: str, parts: Sequence[str]) -> int:
        data = b"".join([bytes(self._find(part).data) for part in parts])
        if len(data) > self.free():
            raise StoreFull
        target = self._find(upload)
        target.data, target.modified = bytearray(data), self._now()
        return len(data)

    def stat(self, upload: str) -> Stored:
        found = self._find(upload)
        return Stored(size=found.size, modified=found.modified)

    def append(self, upload: str, fence: int = 0, *, unproven: bool = False) -> MemoryAppender:
        found = self._find(upload)
        if found.busy:
            raise UploadBusy(upload)
        return MemoryAppender(found, self.free, self._now, unproven=unproven)

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
    def __init__(
        self, target: _Bytes, free: Callable[[], int], now: Callable[[], float], *, unproven: bool = False
    ) -> None:
        self._target, self._free, self._now = target, free, now
        self._start = len(target.data)
        target.busy, target.proven = True, self._start if unproven else None

    @property
    def size(self) -> int:
        return len(self._target.data)

    def write(self, pieces: Sequence[Piece]) -> None:
        for piece in pieces:
            room = self._free()
            self._target.data += piece[:room]
            if len(piece) > room:
                raise StoreFull
        self._target.modified = self._now()

    def rollback(self) -> None:
        del self._target.data[self._start :]

    def commit(self) -> int:
        self._start = self.size
        if self._target.proven is not None:
            self._target.proven = self._start
        return self.size

    def commit_if_cheap(self) -> int:
        return self.commit()

    def close(self) -> None:
        if self._target.proven is not None:
            self.rollback()
        self._target.busy, self._target.proven = False, None
