"""The place in which one attempt of a step works: the store, a scratch directory of its own, progress, tools."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from rushes.engine.job import Job, ToolSettings
from rushes.storage.store import IMMUTABLE, Headers, ObjectInfo, ObjectStore

AT_ONCE = 8
"""Objects stored at the same time. A remote store answers after 10 to 50 ms, mostly of waiting."""


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
        return self.store.put_file(key, path, Headers(content_type, IMMUTABLE))

    def publish_bytes(self, key: str, data: bytes, content_type: str) -> ObjectInfo:
        return self.store.put_bytes(key, data, Headers(content_type, IMMUTABLE))

    def publish_all(self, objects: Iterable[tuple[str, bytes, str]]) -> None:
        """Store many: key, bytes, content type. They are taken as they are needed, so few are in memory.

        Returns when all are stored; what one raises is raised, and no more are taken.
        """
        under_way: deque[Future[ObjectInfo]] = deque()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for key, data, content_type in objects:
                under_way.append(pool.submit(self.publish_bytes, key, data, content_type))
                if len(under_way) >= AT_ONCE:
                    under_way.popleft().result()
            for each in under_way:
                each.result()
