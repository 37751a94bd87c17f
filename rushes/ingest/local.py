"""Uploads as files: one append-only file per upload, whose size is the offset."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from rushes.ingest.store import Stored, StoreFull, UploadBusy, UploadMissing
from rushes.keys import is_id
from rushes.storage.store import Adopt, ObjectMissing, ObjectStore

Sync = Literal["commit", "never"]
"""`commit`: bytes are on the disk before a client hears of them, so that they survive a loss of power.
`never`: they survive a crash of the process only, and uploads cost less."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_PIECES_PER_CALL = 512  # below IOV_MAX, 1024 on Linux


class LocalUploadStore:
    """`reserve`: bytes of the disk that uploads never take, so that the database beside them can still write."""

    def __init__(self, root: Path, *, sync: Sync = "commit", reserve: int = 0) -> None:
        self._root = root
        self._sync = sync
        self._reserve = reserve
        root.mkdir(parents=True, exist_ok=True)

    def create(self, upload: str, key: str, length: int) -> None:
        os.close(os.open(self._path(upload), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        if self._sync == "commit":
            _sync_directory(self._root)

    def stat(self, upload: str) -> Stored:
        descriptor = self._open(upload, os.O_RDONLY)
        try:
            # Bytes left by a killed process may still be in the page cache alone.
            if self._sync == "commit":
                os.fdatasync(descriptor)
            found = os.fstat(descriptor)
            return Stored(size=found.st_size, modified=found.st_mtime)
        finally:
            os.close(descriptor)

    def append(self, upload: str, fence: int = 0) -> LocalAppender:
        descriptor = self._open(upload, os.O_RDWR)
        try:
            # The kernel lets go of this lock when its process ends, however it ends.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return LocalAppender(descriptor, self._sync, self._room)
        except BlockingIOError as error:
            os.close(descriptor)
            raise UploadBusy(upload) from error

    def hand_over(self, upload: str, objects: ObjectStore, key: str) -> None:
        path = self._path(upload)
        if path.exists():
            (objects.adopt if isinstance(objects, Adopt) else objects.put_file)(key, path)
            return
        try:
            objects.head(key)
        except ObjectMissing as error:
            raise UploadMissing(upload) from error

    def remove(self, upload: str) -> None:
        with suppress(FileNotFoundError):
            self._path(upload).unlink()

    def list(self) -> Iterator[tuple[str, Stored]]:
        for entry in sorted(self._root.iterdir()):
            if is_id(entry.name):
                with suppress(UploadMissing):  # removed while we listed
                    yield entry.name, self.stat(entry.name)

    def sweep(self, before: float) -> int:
        return 0  # every file is an id

    def free(self) -> int:
        return shutil.disk_usage(self._root).free

    def _room(self) -> int:
        return self.free() - self._reserve

    def _path(self, upload: str) -> Path:
        if not is_id(upload):
            raise UploadMissing(upload)
        return self._root / upload

    def _open(self, upload: str, flags: int) -> int:
        try:
            return os.open(self._path(upload), flags | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise UploadMissing(upload) from error


class LocalAppender:
    """Owns the descriptor, and with it the lock on the file."""

    def __init__(self, descriptor: int, sync: Sync, room: Callable[[], int]) -> None:
        self._descriptor = descriptor
        self._sync = sync
        self._room = room
        self._start = self._size = os.lseek(descriptor, 0, os.SEEK_END)

    @property
    def size(self) -> int:
        return self._size

    def write(self, pieces: Sequence[bytes]) -> None:
        size = sum(map(len, pieces))
        if size and size > self._room():
            raise StoreFull
        left = [memoryview(piece) for piece in pieces if piece]
        while left:
            left = _after(left, self._write_some(left[:_PIECES_PER_CALL]))

    def rollback(self) -> None:
        os.ftruncate(self._descriptor, self._start)
        self._size = os.lseek(self._descriptor, 0, os.SEEK_END)

    def commit(self) -> int:
        if self._sync == "commit":
            os.fdatasync(self._descriptor)
        return self._size

    def close(self) -> None:
        os.close(self._descriptor)

    def _write_some(self, pieces: list[memoryview]) -> int:
        try:
            count = os.writev(self._descriptor, pieces)
        except OSError as error:
            if error.errno in _FULL:
                raise StoreFull from error
            raise
        self._size += count
        return count


def _after(pieces: list[memoryview], count: int) -> list[memoryview]:
    """What is left of `pieces` after their first `count` bytes."""
    for index, piece in enumerate(pieces):
        if count < len(piece):
            return [piece[count:], *pieces[index + 1 :]]
        count -= len(piece)
    return []


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
