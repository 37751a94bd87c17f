"""What the rooms around ingest give it. `cli` puts it together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import ParamSpec, Protocol, TypeVar

from starlette.requests import Request

from rushes.catalog.records import Upload
from rushes.clock import Clock
from rushes.facts import SourceRef
from rushes.ingest.hold import Holds, UploadLocks
from rushes.ingest.store import UploadStore
from rushes.model import Asset
from rushes.noun import Reason
from rushes.settings import Settings
from rushes.storage.store import ObjectStore

THREADS = 32
"""Of a process, for what waits for a store. Apart from other threads, so that a slow store keeps nobody else waiting."""

P = ParamSpec("P")
T = TypeVar("T")


class UploadCatalog(Protocol):
    """The part of the catalog that ingest speaks to. Methods block and are called from threads."""

    def create_upload(self, upload: Upload, asset: Asset) -> Asset: ...

    def upload(self, upload: str) -> Upload:
        """Raises NotFound."""
        ...

    def finish_upload(self, upload: str, source: SourceRef) -> Asset:
        """Again is harmless."""
        ...

    def terminate_upload(self, upload: str, *, reason: Reason | None = None) -> bool:
        """False where the upload has finished meanwhile."""
        ...

    def open_uploads(self) -> list[Upload]: ...


@dataclass(frozen=True)
class Services:
    catalog: UploadCatalog
    objects: ObjectStore
    uploads: UploadStore
    settings: Settings
    clock: Clock
    tenant_of: Callable[[Request], str]
    """Whose request it is. Raises a RushesError of status 401 or 403 where that cannot be told."""
    holds: UploadLocks = field(default_factory=Holds)
    threads: Executor = field(default_factory=lambda: ThreadPoolExecutor(THREADS, "ingest"))

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Something that blocks, in a thread."""
        return asyncio.get_running_loop().run_in_executor(self.threads, partial(function, *args, **kwargs))
