"""Numbers that one process counts for all who ask, every few seconds, or less often where counting takes long."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from rushes.catalog import offices
from rushes.catalog.change import Store
from rushes.catalog.database import Session
from rushes.clock import SystemClock

EVERY = 5.0
"""Seconds between samples; what scales by them looks every 15 to 30 s."""
PAUSE = 20
"""Times what a sample took, until the next one: counting may cost a twentieth of one connection."""
S = TypeVar("S")


def refresh(
    store: Store, office: tuple[str, str], count: Callable[[Session, float], S], write: Callable[[Session, S], None]
) -> None:
    """Sample, if it is time. `office`: its name and who would hold it. `count` is given the database's time."""
    name, holder = office
    with store.database.read() as tx:
        if not offices.is_due(tx, name, store.now(tx)):
            return
    with store.database.write() as tx:
        taken = offices.take(tx, name, holder, store.now(tx), EVERY)
    if taken:
        _sample(store, name, count, write)


def _sample(store: Store, name: str, count: Callable[[Session, float], S], write: Callable[[Session, S], None]) -> None:
    clock = SystemClock()
    began = clock.monotonic()
    with store.database.read() as tx:
        now = store.now(tx)
        found = count(tx, now)
    took = clock.monotonic() - began
    with store.database.write() as tx:
        write(tx, found)
        offices.done(tx, name, now, rest=max(EVERY, PAUSE * took))
