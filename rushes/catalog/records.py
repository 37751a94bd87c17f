"""Rows that leave the catalog and are not nouns of the product's record."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from rushes.engine.job import Job
from rushes.noun import Noun, Reason
from rushes.options import Options
from rushes.states import AssetState


class UploadLimits(Noun):
    """What one upload may be; None leaves it to the settings and the profile."""

    max_bytes: int | None = None
    max_duration: float | None = None
    """Seconds."""
    types: tuple[str, ...] = ()
    """Media types as `video/mp4` or `video/*`; empty: all that we take."""
    origins: tuple[str, ...] = ()
    """Web sites (`https://app.example.com`) whose pages may upload; empty: all. What is no browser says no origin."""


class Upload(Noun):
    """The resumable resource until its last byte. Its offset is not here: the truth of that is the stored bytes."""

    id: str
    asset: str | None
    """None for a part, which becomes a piece of others and nothing by itself."""
    tenant: str
    kind: Literal["whole", "part", "joined", "direct", "fetched"] = "whole"
    """tus calls a part `partial` and a joined one `final`. The bytes of a direct one go straight to the object store; those of
    a fetched one come by a pull or an import, and no client reaches it."""
    length: int | None
    """None: the client has not said it yet. Of a joined one: the sum of its parts, once each of them is known."""
    parts: tuple[str, ...] = ()
    """Of a joined one: the uploads it is made of, in order; one may come several times."""
    metadata: dict[str, str] = Field(default_factory=dict)
    raw_metadata: str = ""
    """The client's `Upload-Metadata` header, to be echoed on HEAD."""
    raw_concat: str = ""
    """The client's `Upload-Concat` header, likewise, without what its addresses carry behind a question mark."""
    digests: dict[str, str] = Field(default_factory=dict)
    """What the whole has to come to, where the client said it: algorithm -> hex; empty where it wants to be told."""
    ticket: str | None = None
    """The one-time upload address (`POST /v1/uploads`) that it was created by."""
    secret: str | None = None
    """SHA-256 (hex) of the token in its address, which opens this upload and nothing else. None: its tenant's key does."""
    limits: UploadLimits = UploadLimits()
    created_at: float
    expires_at: float
    state: Literal["open", "finished", "terminated"] = "open"
    """Of a part, `finished` says that all its bytes are there."""

    @property
    def is_dismissed(self) -> bool:
        """Finished, and its client has done with it: nothing is left of it but its asset."""
        return self.state == "finished" and self.kind != "part" and self.expires_at <= 0


class Ticket(Noun):
    """A one-time upload address: a tenant's leave to make so many uploads, each within these limits."""

    id: str
    tenant: str
    secret: str
    """SHA-256 (hex) of the token in its address."""
    places: int = 1
    """Uploads it may make; one that was given up does not count."""
    limits: UploadLimits = UploadLimits()
    title: str = ""
    """Of its assets; empty: the client's own."""
    metadata: dict[str, str] = Field(default_factory=dict)
    """Of its assets; it goes before what the client says."""
    profile: str = ""
    policy: str = ""
    """Names; empty: those of the settings."""
    options: Options = Options()
    """Of its assets."""
    created_at: float
    expires_at: float
    """When it makes no upload any more; those it has made go on."""
    cancelled_at: float | None = None


class TicketUpload(Noun):
    """An upload that a ticket made, and what became of its asset."""

    id: str
    state: Literal["open", "finished", "terminated"]
    length: int | None
    asset: str
    asset_state: AssetState
    reason: Reason | None = None
    """Why the asset failed."""


class Booked(Noun):
    """What is taken at the moment at which an upload asks to begin. Bytes are those declared or, before that, reserved."""

    at: float
    bytes: int = 0
    """Of all uploads whose bytes are kept here: unfinished ones, and parts that nothing was joined from yet."""
    tenant_uploads: int = 0
    """Unfinished ones, parts included."""
    tenant_bytes: int = 0
    day_bytes: int = 0
    """Of the tenant's uploads that began within the last 24 hours and were not given up, each byte once."""
    day_ends: float | None = None
    """When the oldest of them is 24 hours old."""
    ticket: Ticket | None = None
    ticket_uploads: int = 0
    """Places that are taken."""
    ticket_begun: int = 0
    """Uploads that it ever made, those that were given up among them."""
    ticket_parts: int = 0
    ticket_parts_begun: int = 0
    ticket_part_bytes: int = 0
    parts_taken: bool = False
    """Something else has been joined from one of its parts already."""


class Event(Noun):
    """One entry of the outbox: ordered by `seq`, replayable, never changed."""

    seq: int
    id: str
    type: str
    asset: str
    tenant: str
    at: float
    data: dict[str, Any]


class Delivery(Noun):
    """One webhook message on its way. `id` stays the same across retries."""

    id: str
    event: Event
    attempts: int


class Claim(Noun):
    """A step that now belongs to a worker until its lease ends."""

    job: Job
    lease_expires: float


class PoolView(Noun):
    pool: str
    ready: int
    running: int
    waiting: int
    backlog_seconds: float
    """Estimated CPU seconds of the steps that could start now."""
    oldest_ready_seconds: float


class WorkerView(Noun):
    id: str
    pools: tuple[str, ...]
    slots: int
    sandbox: str = ""
    """How it shuts in tools: bwrap, landlock, rlimits, off; empty where it has none to shut in."""
    started_at: float
    seen_at: float
    steps: tuple[str, ...] = ()


class Load(Noun):
    """Work that is planned and not done, in estimated CPU seconds, and the slots of the living workers that may do it."""

    work: dict[str, float] = Field(default_factory=dict)
    """By pool."""
    slots: dict[str, int] = Field(default_factory=dict)
    """By pool; a worker counts in each pool it serves."""
    all_slots: int = 0


class Fleet(Noun):
    pools: tuple[PoolView, ...]
    workers: tuple[WorkerView, ...]


class Counts(Noun):
    """Numbers for the metrics page."""

    steps: tuple[tuple[str, str, str, int], ...]
    """(state, kind, pool, how many)."""
    assets: dict[str, int]
    uploads_open: int
    outbox_lag_seconds: float
    attempts: tuple[tuple[str, str, int], ...]
    """(kind, outcome, how many)."""
    avoided: tuple[tuple[str, int, float], ...] = ()
    """(kind, steps whose results were copied, CPU seconds saved)."""
