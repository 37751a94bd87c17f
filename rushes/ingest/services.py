"""What the rooms around ingest give it. `cli` puts it together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from starlette.requests import Request

from rushes.catalog.records import Upload
from rushes.clock import Clock
from rushes.facts import SourceRef
from rushes.ingest.hold import Holds
from rushes.ingest.store import UploadStore
from rushes.model import Asset
from rushes.noun import Reason
from rushes.settings import Settings
from rushes.storage.store import ObjectStore


class UploadCatalog(Protocol):
    """The part of the catalog that ingest speaks to. Methods block and are called from threads."""

    def create_upload(self, upload: Upload, asset: Asset) -> Asset: ...

    def upload(self, upload: str) -> Upload:
        """Raises NotFound."""
        ...

    def finish_upload(self, upload: str, source: SourceRef) -> Asset:
        """Again is harmless."""
        ...

    def terminate_upload(self, upload: str, *, reason: Reason | None = None) -> None: ...

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
    holds: Holds = field(default_factory=Holds)
