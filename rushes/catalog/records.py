"""Rows that leave the catalog and are not nouns of the product's record."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from rushes.engine.job import Job
from rushes.noun import Noun


class Upload(Noun):
    """The resumable resource until its last byte. Its offset is not here: the truth of that is the stored bytes."""

    id: str
    asset: str
    tenant: str
    length: int
    metadata: dict[str, str] = Field(default_factory=dict)
    raw_metadata: str = ""
    """The client's `Upload-Metadata` header, to be echoed on HEAD."""
    created_at: float
    expires_at: float
    state: Literal["open", "finished", "terminated"] = "open"


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
    started_at: float
    seen_at: float
    steps: tuple[str, ...] = ()


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
