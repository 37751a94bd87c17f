"""Rows that leave the catalog and are not nouns of the product's record."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from rushes.catalog.workforce import Presence
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


class Beat(Noun):
    """A running step's sign of life."""

    step: str
    fence: int
    progress: float
    """0 to 1."""
    cpu_seconds: float = 0.0
    """Of this attempt so far."""


class Claim(Noun):
    """A step that now belongs to a worker until its lease ends."""

    job: Job
    lease_expires: float


class PoolLoad(Noun):
    """Open work of one pool, as it was when it was sampled (`catalog.loads`)."""

    pool: str
    sampled_at: float
    ready: int = 0
    running: int = 0
    waiting: int = 0
    ready_cpu: float = 0.0
    """Estimated CPU seconds of the steps that could start now."""
    running_cpu: float = 0.0
    """Of what is left of those that run."""
    planned_cpu: float = 0.0
    """Of those that wait for others or for their time."""
    oldest_ready: float | None = None
    """Since when the oldest is ready, seconds since the epoch."""
    kinds: dict[str, dict[str, int]] = Field(default_factory=dict)
    """kind -> state -> how many; open steps only."""
    classes: dict[str, float] = Field(default_factory=dict)
    """Name of the priority class -> `ready_cpu` of it."""

    @property
    def cpu(self) -> float:
        """What scales a pool: work that runs counts, or the machine that does it would be taken away."""
        return self.ready_cpu + self.running_cpu


class Backlog(Noun):
    """What a pool has to do, and who there is to do it."""

    pool: str
    ready: int = 0
    running: int = 0
    waiting: int = 0
    ready_cpu_seconds: float = 0.0
    running_cpu_seconds: float = 0.0
    planned_cpu_seconds: float = 0.0
    workers: int = 0
    """Living ones that take work of this pool."""
    cores: float = 0.0
    """Theirs. A worker of several pools counts in each."""
    backlog_seconds: float = 0.0
    """Until what is ready and running is done by these cores, each shared among its pools by their work. Without a worker: as
    if there were one core."""
    oldest_ready_seconds: float = 0.0
    paused: bool = False
    sampled_at: float = 0.0


class PoolView(Noun):
    pool: str
    ready: int
    running: int
    waiting: int
    backlog_seconds: float
    """As `Backlog.backlog_seconds`."""
    oldest_ready_seconds: float
    ready_cpu_seconds: float = 0.0
    running_cpu_seconds: float = 0.0
    planned_cpu_seconds: float = 0.0
    workers: int = 0
    cores: float = 0.0
    paused: bool = False
    reason: str = ""
    """Why it is paused."""


class WorkerView(Presence):
    """A living worker: what it says of itself, what it does, and what is asked of it."""

    id: str
    started_at: float
    seen_at: float
    steps: tuple[str, ...] = ()
    wanted: str = ""
    """What an operator asked of it: drain, cordon, work."""


class PoolState(Noun):
    """Whether a pool takes steps."""

    pool: str
    paused: bool = False
    reason: str = ""
    """What the operator said who paused it."""
    changed_at: float = 0.0


class UnreadableSteps(Noun):
    """Open steps that nobody who is there can do: a newer release planned them."""

    kind: str
    version: int
    """Of the graph they belong to."""
    pool: str
    steps: int


class Quarantined(Noun):
    """A step that was set aside because it kills workers."""

    step: str
    key: str
    kind: str
    asset: str
    tenant: str
    at: float
    reason_code: str
    """How its last attempt ended."""
    released_at: float | None = None
    bundle: str
    """JSON of an `engine.bundle.Bundle`."""
    replay: str
    """The command that does it again on this machine."""


class Load(Noun):
    """Work that is planned and not done, in estimated CPU seconds, and the cores of the living workers that may do it."""

    work: dict[str, float] = Field(default_factory=dict)
    """By pool."""
    slots: dict[str, float] = Field(default_factory=dict)
    """CPU seconds that a second brings, by pool; a worker counts in each pool it serves. Its cores, or its slots if it does not
    say them."""
    all_slots: float = 0


class Fleet(Noun):
    pools: tuple[PoolView, ...]
    workers: tuple[WorkerView, ...]
    sampled_at: float = 0.0
    """When the numbers of the pools were taken."""


class Counts(Noun):
    """Numbers for the metrics page."""

    steps: tuple[tuple[str, str, str, int], ...]
    """(state, kind, pool, how many); open ones."""
    assets: dict[str, int]
    uploads_open: int
    outbox_lag_seconds: float
    attempts: tuple[tuple[str, str, int], ...] = ()
    """(kind, outcome, how many). Always empty: each process counts its own (`workers.telemetry`)."""
    reconciled_seconds: float | None = None
    """Since the reconciler came round last; None: it never has."""
    sampled_seconds: float | None = None
    """Since the numbers of the pools were taken."""
    quarantined: int = 0
    """Steps that are set aside now."""
    avoided: tuple[tuple[str, int, float], ...] = ()
    """(kind, steps whose results were copied, CPU seconds saved)."""
