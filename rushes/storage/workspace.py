"""The place in which one attempt of a step works: the store, a scratch directory of its own, progress, tools."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from rushes.engine.job import Job, ToolSettings
from rushes.keys import PRIVATE_TREE
from rushes.storage.store import IMMUTABLE, PRIVATE, Headers, ObjectInfo, ObjectStore, ServerCopy
from rushes.storage.types import content_type

AT_ONCE = 8
"""Objects stored at the same time. A remote store answers after 10 to 50 ms, mostly of waiting."""
_T = TypeVar("_T")


@dataclass
class Workspace:
    store: ObjectStore
    scratch: Path
    """An empty directory that is removed after the attempt, whatever happened."""
    tools: ToolSettings = field(default_factory=ToolSettings)
    progress: Callable[[float], None] = lambda fraction: None
    """Called with 0..1; also proves that the step is alive."""

    def source(self, job: Job) -> Path:
        """The original as a local file."""
        return self.store.localize(job.source.key, self.scratch)

    def publish_file(self, key: str, path: Path, content_type: str) -> ObjectInfo:
        """Store an immutable output (segment, init, poster...) with the headers a CDN needs."""
        return self.store.put_file(key, path, _headers(key, content_type))

    def publish_bytes(self, key: str, data: bytes, content_type: str) -> ObjectInfo:
        return self.store.put_bytes(key, data, _headers(key, content_type))

    def publish_all(self, objects: Iterable[tuple[str, bytes, str]]) -> None:
        """Store many: key, bytes, content type. They are taken as they are needed, so few are in memory.

        Returns when all are stored; what one raises is raised, and no more are taken.
        """
        for _ in _side_by_side(partial(self.publish_bytes, *each) for each in objects):
            pass

    def read_all(self, keys: Iterable[str]) -> Iterator[bytes]:
        """The bytes of objects, in the order of their keys; some are read ahead. Raises ObjectMissing where one is gone."""
        return _side_by_side(partial(self.store.read, key) for key in keys)

    def copy_all(self, pairs: Sequence[tuple[str, str]]) -> list[int]:
        """Store immutable outputs once more: keys of objects and the keys of their copies. Gives the sizes of the copies.

        Raises ObjectMissing where one is gone.
        """
        sizes = []
        for number, info in enumerate(_side_by_side(partial(self._copy, *pair) for pair in pairs), 1):
            sizes.append(info.size)
            self.progress(number / len(pairs))
        return sizes

    def _copy(self, key: str, copy: str) -> ObjectInfo:
        headers = _headers(copy, content_type(copy))
        if isinstance(self.store, ServerCopy):
            return self.store.copy(key, copy, headers)
        return self.store.put_bytes(copy, self.store.read(key), headers)


def _headers(key: str, content_type: str) -> Headers:
    return Headers(content_type, PRIVATE if key.startswith(PRIVATE_TREE) else IMMUTABLE)


def _side_by_side(actions: Iterable[Callable[[], _T]]) -> Iterator[_T]:
    """What they give, in their order; a few at a time, and each taken only when it is its turn."""
    under_way: deque[Future[_T]] = deque()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for action in actions:
            under_way.append(pool.submit(action))
            if len(under_way) >= AT_ONCE:
                yield under_way.popleft().result()
        for each in under_way:
            yield each.result()
