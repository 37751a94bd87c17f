"""One writer of an upload that is a file, and the note that says how much of the file is proven.

Bytes that come with a checksum are written behind those that count, and count only once the checksum is known to be
right. Meanwhile a *note* beside the file says how many bytes do:

| killed after | is left | and then |
|---|---|---|
| the note was begun | an empty note | it says nothing: all bytes of the file count |
| the note was written | a file, perhaps longer than its note says | the rest is cut off by whoever appends next |
| the bytes were committed | the same | the same: nobody was told of them |
| the note was renewed | a file of its note's size | nothing |

The note stays as long as requests bring checksums, so that renewing it is one small write in place.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from rushes.ingest.store import Piece, StoreFull

Sync = Literal["commit", "never"]
"""`commit`: bytes are on the disk before a client hears of them, so that they survive a loss of power.
`never`: they survive a crash of the process only, and uploads cost less."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_PIECES_PER_CALL = 512  # below IOV_MAX, 1024 on Linux
_DIGITS = 20


class ProofNote:
    """How many bytes of an upload's file count, where not all do."""

    def __init__(self, path: Path, sync: Sync) -> None:
        self._path = path
        self._sync = sync

    def read(self) -> int | None:
        """None: all bytes count."""
        with suppress(FileNotFoundError):
            text = self._path.read_bytes()
            return int(text) if len(text) == _DIGITS and text.isdigit() else None
        return None

    def write(self, size: int) -> None:
        is_new = self.read() is None
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(descriptor, b"%0*d" % (_DIGITS, size), 0)
            if self._sync == "commit":
                os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            self._sync_directory()

    def remove(self) -> None:
        with suppress(FileNotFoundError):
            self._path.unlink()
            self._sync_directory()

    def _sync_directory(self) -> None:
        if self._sync == "commit":
            sync_directory(self._path.parent)


class LocalAppender:
    """Owns the descriptor, and with it the lock on the file."""

    def __init__(
        self, descriptor: int, sync: Sync, room: Callable[[], int], note: ProofNote, *, unproven: bool = False
    ) -> None:
        self._descriptor = descriptor
        self._sync = sync
        self._room = room
        self._note = note if unproven else None
        self._size = os.lseek(descriptor, 0, os.SEEK_END)
        proven = note.read()
        self._start = self._size if proven is None else min(proven, self._size)
        if self._start < self._size:  # somebody was killed before the checksum was known to be right
            self.rollback()
        if unproven and proven != self._start:
            note.write(self._start)
        elif not unproven and proven is not None:
            self._flush()
            note.remove()

    @property
    def size(self) -> int:
        return self._size

    def write(self, pieces: Sequence[Piece]) -> None:
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
        self._flush()
        if self._note and self._size != self._start:
            self._note.write(self._size)
        self._start = self._size
        return self._size

    def commit_if_cheap(self) -> int:
        return self.commit()

    def close(self) -> None:
        try:
            if self._note and self._size != self._start:
                self.rollback()
        finally:
            os.close(self._descriptor)

    def _flush(self) -> None:
        if self._sync == "commit":
            os.fdatasync(self._descriptor)

    def _write_some(self, pieces: list[memoryview]) -> int:
        try:
            count = os.writev(self._descriptor, pieces)
        except OSError as error:
            if error.errno in FULL:
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


def sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
