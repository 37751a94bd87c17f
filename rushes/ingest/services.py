"""What the rooms around ingest give it. `cli` puts it together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import ParamSpec, Protocol, TypeVar

from starlette.requests import Request

from rushes.catalog.bookings import Decide
from rushes.catalog.reception import Beginning
from rushes.catalog.records import Booked, Load, Ticket, Upload
from rushes.clock import Clock
from rushes.engine.early import Pieces
from rushes.errors import RushesError
from rushes.facts import EarlyFacts, SourceRef
from rushes.ingest.gauges import Gauges
from rushes.ingest.hold import Holds, UploadLocks
from rushes.ingest.store import UploadStore
from rushes.ingest.tally import Tally
from rushes.ingest.throttle import Throttle
from rushes.ingest.watermarks import Watermarks
from rushes.model import Asset
from rushes.noun import Reason
from rushes.profiles import Limits
from rushes.quotas import Quotas, load_quotas
from rushes.settings import Settings
from rushes.storage.store import ObjectStore

THREADS = 32
"""Of a process, for what waits for a store. Apart from other threads, so that a slow store keeps nobody else waiting."""
LOOKUPS = 8
"""Threads of a process for what waits for the catalog only, so that it does not wait for a store."""
COPIES = 3
"""Threads of a process for what reads or copies whole files, however long they are: others need not wait for that."""

P = ParamSpec("P")
T = TypeVar("T")


class UploadCatalog(Protocol):
    """The part of the catalog that ingest speaks to. Methods block and are called from threads."""

    def create_upload(self, upload: Upload, asset: Asset, decide: Decide | None = None, *, day: bool = True) -> Asset:
        """`decide` is shown what is taken, while nobody else is admitted: it gives the bytes to reserve, or raises.
        Without `day` it is not shown what the tenant brought within a day."""
        ...

    def create_uploads(self, beginnings: Sequence[Beginning]) -> list[Asset | RushesError]:
        """Each as `create_upload` makes it, all at once: its asset, or why it was refused."""
        ...

    def finish_uploads(self, arrivals: Sequence[tuple[Upload, SourceRef]]) -> list[Asset]:
        """Of uploads that came whole with their creation, all at once."""
        ...

    def create_part(self, upload: Upload, decide: Decide | None = None, *, day: bool = True) -> None: ...

    def booked(self, tenant: str, ticket: str | None = None, *, parts: Sequence[str] = (), day: bool = True) -> Booked:
        """What is taken now. Raises NotFound for a ticket that is not there."""
        ...

    def reserve(self, upload: str, size: int) -> None:
        """Bytes that an upload of unknown length counts for from now on."""
        ...

    def reservations(self) -> Mapping[str, int]:
        """Bytes reserved by each upload whose bytes are kept here."""
        ...

    def load(self) -> Load: ...

    def upload_like(self, upload: Upload) -> Upload | None:
        """The one that the same one-time address made for the same file before."""
        ...

    def same_joined(self, upload: Upload) -> Upload | None:
        """The one that the same caller had joined before from the same parts, for the same file."""
        ...

    def upload(self, upload: str) -> Upload:
        """Raises NotFound."""
        ...

    def uploads_of(self, asset: str) -> list[Upload]: ...

    def declare_length(self, upload: str, length: int) -> Upload:
        """A length that is known stays; gives what is true now."""
        ...

    def asset(self, asset: str) -> Asset:
        """Raises NotFound."""
        ...

    def limits_of(self, asset: str) -> Limits:
        """What may become of the upload. Raises NotFound."""
        ...

    def recognise(self, asset: str, facts: EarlyFacts, pieces: Pieces | None = None) -> bool:
        """Note what its first bytes say; with `pieces`, plan its early probe. False where it is too late."""
        ...

    def early_pieces(self, asset: str) -> Pieces | None:
        """Which bytes a finished early probe was shown; None where there is none."""
        ...

    def finish_upload(self, upload: str, source: SourceRef, *, seen: str | None = None) -> Asset:
        """Again is harmless."""
        ...

    def finish_part(self, upload: str, expires_at: float) -> list[Upload]:
        """Gives the joined uploads that wait for it. Again is harmless."""
        ...

    def joined_from(self, part: str) -> list[Upload]: ...

    def terminate_upload(self, upload: str, *, reason: Reason | None = None) -> bool:
        """False where the upload has finished meanwhile; a part that has finished may go."""
        ...

    def dismiss_upload(self, upload: str) -> None:
        """A finished one is no longer to be found; its asset stays."""
        ...

    def ticket(self, ticket: str) -> Ticket:
        """A one-time upload address. Raises NotFound."""
        ...

    def kept_uploads(self) -> list[Upload]:
        """Open ones, and parts that are complete."""
        ...


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
    lookups: Executor = field(default_factory=lambda: ThreadPoolExecutor(LOOKUPS, "lookup"))
    copies: Executor = field(default_factory=lambda: ThreadPoolExecutor(COPIES, "copy"))
    tally: Tally = field(default_factory=Tally)

    @cached_property
    def quotas(self) -> Quotas:
        """Raises SettingsError."""
        return load_quotas(self.settings)

    @cached_property
    def watermarks(self) -> Watermarks:
        """For looking them up."""
        return Watermarks(self.objects)

    @cached_property
    def gauges(self) -> Gauges:
        return Gauges(self.catalog, self.uploads, self.settings, self.quotas, self.clock)

    @cached_property
    def throttle(self) -> Throttle:
        return Throttle(self.quotas, self.settings.upload_min_rate, self.clock)

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Something that waits for a store, in a thread."""
        return asyncio.get_running_loop().run_in_executor(self.threads, partial(function, *args, **kwargs))

    def ask(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Something that waits for the catalog and for no store."""
        return asyncio.get_running_loop().run_in_executor(self.lookups, partial(function, *args, **kwargs))

    def work_through(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Something that reads or copies a whole file. Waits for its turn behind others."""
        return asyncio.get_running_loop().run_in_executor(self.copies, partial(function, *args, **kwargs))
