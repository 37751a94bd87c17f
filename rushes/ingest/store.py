"""Where bytes lie until an upload is complete. The contract, which `tests/contract/test_upload_store.py` runs.

Methods block and are called from threads. An upload's offset is the number of its stored bytes and nothing else.
What a remote store cannot do now is a `StoreError` (`rushes.storage.store`), from every method.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from rushes.errors import RushesError
from rushes.storage.store import ObjectStore

Piece = bytes | memoryview
"""Some bytes of a body. Whoever keeps them copies them: once it has been dealt with, its memory is used again."""


class UploadMissing(Exception):
    """No bytes, not even none, are stored under this id."""


class UploadBusy(Exception):
    """Another process appends to this upload."""


class UploadDamaged(RushesError):
    """Stored bytes are not those that were acknowledged: somebody else wrote in their place. They are given up, so
    that the offset falls back and the client, which asks for it after a 409, sends them again."""

    status = 409

    def __init__(self) -> None:
        super().__init__("upload_damaged", "Some of the bytes have to be sent again. Please ask for the offset.")


class StoreFull(RushesError):
    """The disk or the quota is full. What was written before it stays."""

    status = 507

    def __init__(self, message: str = "The server has no room for more bytes now. Please try again later.") -> None:
        super().__init__("insufficient_storage", message)


@dataclass(frozen=True)
class Stored:
    size: int
    modified: float
    """Seconds since the epoch of the last byte."""


@runtime_checkable
class Appender(Protocol):
    """The one writer of an upload. Used by one thread at a time; the caller closes it."""

    @property
    def size(self) -> int:
        """Stored bytes, committed or not."""
        ...

    def write(self, pieces: Sequence[Piece]) -> None:
        """Append all pieces in order; none is kept. Raises StoreFull; then a part of them may be stored."""
        ...

    def rollback(self) -> None:
        """Forget what was written since the last commit, or since the appender was opened."""
        ...

    def commit(self) -> int:
        """Make everything written survive a crash (as far as the store promises), and give the offset. More may follow."""
        ...

    def commit_if_cheap(self) -> int | None:
        """The same in the middle of a request, for a client that wants to hear how far it is. None where it would store so
        much again that it is better done later."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class UploadStore(Protocol):
    def create(self, upload: str, key: str, length: int | None) -> None:
        """An upload of no bytes, which survives a crash. One that is there already is kept.

        It will become the object `key` of `length` bytes, so that a store may write to that place from the start. The
        length may become known later (`declare`). A part, which others are joined from, has a key of its own too.
        """
        ...

    def declare(self, upload: str, length: int, fence: int = 0) -> None:
        """The length of one that was created without it, while nobody appends. The same again: no error.

        Helps the store to plan; one that was never declared is handed over as long as it is. `fence` as of `append`.
        Raises UploadMissing, UploadBusy.
        """
        ...

    def join(self, upload: str, parts: Sequence[str]) -> int:
        """Give an upload the bytes of others, in their order (one may come several times), and its length with them.

        All of them were created, the others are complete, and keep their bytes. May be interrupted anywhere and done
        again; gives the length. Until it returns, what `stat` says of the upload is of no meaning. Raises UploadMissing
        with the id that is not there (any more), StoreFull.
        """
        ...

    def stat(self, upload: str) -> Stored:
        """What is stored, and safe: this offset may be told to a client. Raises UploadMissing."""
        ...

    def append(self, upload: str, fence: int = 0, *, unproven: bool = False) -> Appender:
        """Raises UploadMissing, or UploadBusy where another process has it. The caller locks (`UploadLocks`).

        `unproven`: nothing that is written counts (in `stat`, after a crash, for the next appender) before `commit`,
        since the checksum that comes with it may turn out to be wrong; then comes `rollback`.

        `fence` rises with each lock: what a writer with a lower one does late never wins over one with a higher one. One
        that comes after bytes of a higher one is UploadBusy, where several processes write to the store.
        """
        ...

    def hand_over(self, upload: str, objects: ObjectStore, key: str) -> None:
        """Put the bytes into the object store under `key`. Done already (bytes gone, object there): no error.

        Raises UploadMissing when neither is there, UploadDamaged where bytes have to be sent again. May be interrupted
        anywhere and done again.
        """
        ...

    def remove(self, upload: str) -> None:
        """Of a missing one: no error."""
        ...

    def list(self) -> Iterator[tuple[str, Stored]]:
        """All uploads with stored bytes, by id."""
        ...

    def sweep(self, before: float) -> int:
        """Remove what killed creations and removals left that no id leads to, where it is older than `before` (seconds
        since the epoch). Gives how much."""
        ...

    def free(self) -> int:
        """Bytes that may still be stored."""
        ...
