"""What admission looks at that the catalog's transaction cannot know: the disk, the fleet's load. Read at most once a second."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Generic, Protocol, TypeVar

from rushes.catalog.records import Load
from rushes.clock import Clock
from rushes.ingest.reservations import Premises
from rushes.ingest.store import UploadStore
from rushes.quotas import Quotas
from rushes.settings import Settings

FRESH = 1.0
"""Seconds for which a look is good."""
LAPSE = 600.0
"""Seconds of silence after which what an upload reserved beyond its bytes is for others: or a few that are begun and left
would shut out everybody for a day. One that goes on after that may meet a full disk (507), with what it has kept."""
ENDLESS = 2**60
"""A store that says it has more room than this has no end."""

T = TypeVar("T")


class Books(Protocol):
    """The part of the catalog that is asked. Blocks."""

    def reservations(self) -> Mapping[str, int]:
        """Bytes reserved by each upload whose bytes are kept here."""
        ...

    def load(self) -> Load: ...


class Gauges:
    """Used by many threads. Blocks on the store and the catalog where a look has grown old."""

    def __init__(self, books: Books, store: UploadStore, settings: Settings, quotas: Quotas, clock: Clock) -> None:
        self._books, self._store, self._settings, self._quotas = books, store, settings, quotas
        self._clock = clock
        self._room = _Remembered(self._measure_room, clock)
        self._load = _Remembered(books.load, clock)

    def premises(self, tenant: str) -> Premises:
        settings = self._settings
        return Premises(
            quota=self._quotas.of(tenant),
            room=self._room.get(),
            load=self._load.get() if settings.max_backlog_seconds else Load(),
            max_bytes=settings.upload_max_bytes,
            max_backlog=settings.max_backlog_seconds,
            cpu_seconds_per_gb=settings.cpu_seconds_per_gb,
            step=settings.upload_reserve_bytes,
        )

    def _measure_room(self) -> int | None:
        """Free bytes and those that unfinished uploads hold already, without what has to stay free.

        An upload that grows moves bytes from the one to the other, so that the sum stays true while they come.
        """
        free = self._store.free()
        if free >= ENDLESS:
            return None
        reserved, before = self._books.reservations(), self._clock.now() - LAPSE
        given = 0
        for upload, found in self._store.list():
            booked = reserved.get(upload, 0)
            given += booked if found.modified < before else min(found.size, booked)
        return free + given - self._settings.min_free_bytes


class _Remembered(Generic[T]):
    def __init__(self, look: Callable[[], T], clock: Clock) -> None:
        self._look, self._clock = look, clock
        self._lock = threading.Lock()
        self._found: tuple[T, float] | None = None

    def get(self) -> T:
        with self._lock:  # others wait for the one look rather than look themselves
            now = self._clock.monotonic()
            if self._found is None or now - self._found[1] >= FRESH:
                self._found = (self._look(), now)
            return self._found[0]
