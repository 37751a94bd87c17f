"""The contract of an object store. Optional powers are protocols of their own, asked for by isinstance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

IMMUTABLE = "public, max-age=31536000, immutable"
POINTER = "public, max-age=2"
"""No stale-while-revalidate: a takedown has to be true within the TTL, and Chromium was seen to play an old build by it."""
PRIVATE = "private, no-store"


@dataclass(frozen=True)
class ObjectInfo:
    """What is known of an object without reading it. `etag` is strong and changes whenever the bytes do."""

    key: str
    size: int
    etag: str
    content_type: str
    cache_control: str
    modified: float


@dataclass(frozen=True)
class Listed:
    """What a listing says of an object: no more than every store can say without asking for each one."""

    key: str
    size: int
    modified: float


@dataclass(frozen=True)
class Fetched:
    """An object's stream and, of the very same version, what is known of it. Whoever got it closes the stream."""

    info: ObjectInfo
    stream: BinaryIO


@dataclass(frozen=True)
class Headers:
    """What a CDN that pulls straight from the store has to see on the object itself."""

    content_type: str = "application/octet-stream"
    cache_control: str = PRIVATE


class StoreError(Exception):
    """The store did not do what was asked; trying again may help."""


class ObjectMissing(StoreError):
    """There is no object of that key. Raised by head, open, read and localize; delete of a missing key is no error."""


class ObjectExists(StoreError):
    """A conditional put found an object already there, or another one than expected."""


@runtime_checkable
class ObjectStore(Protocol):
    """Keys are relative, `/`-separated, without `.` or `..` parts; a bad one is a ValueError.

    A put is atomic: readers see the old object or the new one, whole, never a part; after it returns the object
    survives a crash of the machine. What a put gives is what `head` would say, but for `modified`, which may be
    another clock's. A store may refuse (StoreError) a key that lies below another object's key, as a file system must.
    """

    def put_bytes(self, key: str, data: bytes, headers: Headers = ...) -> ObjectInfo: ...

    def put_file(self, key: str, path: Path, headers: Headers = ...) -> ObjectInfo:
        """Takes the file's bytes; the file may be moved away by it (give a file of your own)."""
        ...

    def head(self, key: str) -> ObjectInfo: ...

    def read(self, key: str) -> bytes: ...

    def open(self, key: str, start: int = 0) -> BinaryIO:
        """A stream of the bytes from `start`; the caller closes it. It is never silently short: what cannot be read
        any more is a StoreError (or OSError, where the object is a file)."""
        ...

    def fetch(self, key: str, start: int = 0, stop: int | None = None) -> Fetched:
        """`head` and `open` in one. Bytes from `stop` on may be left out; `start` may lie behind the end."""
        ...

    def list(self, prefix: str) -> Iterator[Listed]:
        """Sorted by key."""
        ...

    def delete(self, key: str) -> None: ...

    def localize(self, key: str, scratch: Path) -> Path:
        """A readable local file with the object's bytes: the object itself where it is a file, else a copy in scratch."""
        ...


@runtime_checkable
class ConditionalPut(Protocol):
    @property
    def conditional(self) -> bool:
        """Whether `put_if` works here. A remote store asks its server, once; what it finds may be a StoreError."""
        ...

    def put_if(self, key: str, data: bytes, headers: Headers, *, etag: str | None) -> ObjectInfo:
        """Put only if the object's etag is `etag` (None: only if there is none); otherwise ObjectExists."""
        ...


@runtime_checkable
class Adopt(Protocol):
    def adopt(self, key: str, path: Path, headers: Headers = ...) -> ObjectInfo:
        """Take over a file of the same file system by renaming it, without copying a byte."""
        ...


@runtime_checkable
class OnDisk(Protocol):
    @property
    def on_disk(self) -> bool:
        """Objects are files here: `localize` copies nothing."""
        ...


@runtime_checkable
class BulkPut(Protocol):
    def put_new(self, objects: Sequence[tuple[str, bytes]]) -> list[StoreError | None]:
        """`put_bytes` of several at once, which wait for the disk together; of each, what went wrong. The keys are new ones
        that nobody else puts or deletes meanwhile."""
        ...


@runtime_checkable
class Sweeps(Protocol):
    def sweep(self, older_than: float = ...) -> int:
        """End what killed writers left half-written, where it is older than that (seconds). Gives how much it was."""
        ...


@runtime_checkable
class Presign(Protocol):
    def presign(self, key: str, seconds: int) -> str:
        """An address at which anyone may GET the object for that long. Nobody looks whether there is one."""
        ...


@runtime_checkable
class ServerCopy(Protocol):
    def copy(self, source: str, key: str, headers: Headers = ...) -> ObjectInfo:
        """The bytes of one object under a second key, without passing through us. Raises ObjectMissing."""
        ...


@runtime_checkable
class BulkDelete(Protocol):
    def delete_many(self, keys: Iterable[str]) -> None:
        """Delete all of them in few requests. Raises StoreError where some are still there."""
        ...


def exists(store: ObjectStore, key: str) -> bool:
    """Raises StoreError where that cannot be told."""
    try:
        store.head(key)
    except ObjectMissing:
        return False
    return True


def delete_all(store: ObjectStore, keys: Iterable[str]) -> None:
    """In few requests where the store can, else one by one."""
    if isinstance(store, BulkDelete):
        return store.delete_many(keys)
    for key in keys:
        store.delete(key)
