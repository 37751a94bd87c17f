"""Small objects that never change, kept in memory: a player's next request, and everybody else's, costs the store nothing."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rushes.api import cmsd
from rushes.api.objects import Body, headers_of, is_text, text_body
from rushes.storage.store import IMMUTABLE, ObjectInfo, ObjectStore, StoreError

T = TypeVar("T")
SHARE = 16
"""One object may take this part of the room at most."""
OVERHEAD = 2048
"""Bytes that an object costs beside its own."""
RawHeaders = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True)
class Ready:
    """One representation with the headers of its 200, but for `Cache-Control`, as ASGI has them."""

    body: Body
    headers: RawHeaders


@dataclass(frozen=True)
class Kept:
    info: ObjectInfo
    plain: Ready
    packed: Ready | None
    """Compressed, of text."""

    @property
    def size(self) -> int:
        return OVERHEAD + self.plain.body.size + (self.packed.body.size if self.packed else 0)


class Shelf:
    """At most `limit` bytes; what was not asked for the longest goes first. Belongs to the event loop."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._bytes = 0

    @property
    def largest(self) -> int:
        """Bytes of an object that may be kept."""
        return self._limit // SHARE

    def get(self, key: str) -> Kept | None:
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, kept: Kept) -> None:
        self._drop(kept.info.key)
        self._kept[kept.info.key] = kept
        self._bytes += kept.size
        while self._bytes > self._limit:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: str) -> None:
        found = self._kept.pop(key, None)
        self._bytes -= found.size if found else 0


def load(store: ObjectStore, key: str, largest: int) -> Kept | None:
    """The object as it is kept; None for one that is too large or may change. Blocks. Raises ObjectMissing, StoreError."""
    fetched = store.fetch(key)
    with fetched.stream as stream:
        info = fetched.info
        if info.cache_control != IMMUTABLE or info.size > largest:
            return None
        data = stream.read()
    if len(data) != info.size:
        raise StoreError(f"{key}: it ended {info.size - len(data)} bytes early")
    if not is_text(key):
        return Kept(info, ready(info, Body(info.etag, info.size, data)), None)
    return Kept(info, ready(info, text_body(data, gzipped=False)), ready(info, text_body(data, gzipped=True)))


def ready(info: ObjectInfo, body: Body) -> Ready:
    headers = headers_of(info, body) | {"Content-Type": info.content_type, "Content-Length": str(body.size)}
    headers["CMSD-Static"] = cmsd.static(info.key)
    del headers["Cache-Control"]
    return Ready(body, tuple((name.lower().encode(), value.encode()) for name, value in headers.items()))


@dataclass
class Flights:
    """Blocking work, once at a time for each key: who asks meanwhile waits for the same result. Belongs to the event loop."""

    near: bool = False
    """The store is a disk of ours: what is very small is read at once."""
    _flying: dict[str, asyncio.Task[Any]] = field(default_factory=dict)

    async def small(self, key: str, work: Callable[[], T]) -> T:
        """For some kilobytes that everybody reads, so that the kernel has them in memory: then to go to a thread and back costs
        more than to read them (docs/benchmarks.md)."""
        return work() if self.near else await self.run(key, work)

    async def run(self, key: str, work: Callable[[], T]) -> T:
        """Goes on to its end even if all who wait for it go away."""
        task: asyncio.Task[T] | None = self._flying.get(key)
        if task is None:
            task = asyncio.ensure_future(asyncio.to_thread(work))
            self._flying[key] = task
            task.add_done_callback(lambda done: self._landed(key, done))
        return await asyncio.shield(task)

    def _landed(self, key: str, task: asyncio.Task[Any]) -> None:
        self._flying.pop(key, None)
        if not task.cancelled():
            task.exception()  # it was heard, even if nobody waits any more
