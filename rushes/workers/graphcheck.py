"""Checks of what the catalog holds: what releases that run side by side have planned, whether somebody is there who can do it,
and how far its history goes back."""

from __future__ import annotations

import contextlib

from rushes.catalog import history, offices
from rushes.catalog.catalog import Catalog
from rushes.catalog.change import Store
from rushes.catalog.database import migrations
from rushes.catalog.open import database_path, is_shared, open_database
from rushes.clock import Clock
from rushes.engine.version import GRAPH
from rushes.settings import Settings
from rushes.workers.doctor import Check


def past(settings: Settings, clock: Clock) -> Check:
    """How far back attempts are kept. A database that keeps all of them grows for ever. Some stay longer: of what is not done
    yet, and those whose results are still played."""
    name, days = "history", settings.keep_history
    if not is_shared(settings.database) and not database_path(settings.database).exists():
        return Check(name, True, "no database yet")
    with contextlib.closing(open_database(settings.database)) as database:
        if database.version() != migrations()[-1][0]:
            return Check(name, True, "the database is of another version")
        with database.read() as tx:
            oldest, looked = history.oldest(tx), offices.done_at(tx, history.HISTORY)
    now = clock.now()
    age = f"attempts of {(now - oldest) / 86_400:.0f} days" if oldest else "no attempts"
    if days < 0:
        return Check(name, True, f"{age}, kept for ever (RUSHES_KEEP_HISTORY sets an end)")
    last = f"looked through {(now - looked) / 3600:.1f} h ago" if looked else "not looked through yet: workers do that"
    return Check(name, True, f"{age}, to be kept for {days:g}; {last}")


def releases(settings: Settings) -> Check:
    """Steps that no worker knows wait, unharmed, for one of a newer release; nobody else will say that they do."""
    name = "releases"
    if not is_shared(settings.database) and not database_path(settings.database).exists():
        return Check(name, True, f"graph version {GRAPH}; no database yet")
    database = open_database(settings.database)
    try:
        if database.version() != migrations()[-1][0]:
            return Check(name, True, f"graph version {GRAPH}; the database is of another one")
        catalog = Catalog(Store(database))
        found, is_alone = catalog.unreadable(), not catalog.fleet().workers
    finally:
        database.close()
    if not found:
        known = "no worker is there to know its steps" if is_alone else "every open step is known to a worker"
        return Check(name, True, f"graph version {GRAPH}; {known}")
    which = ", ".join(f"{one.steps} of kind {one.kind} (version {one.version}, pool {one.pool})" for one in found)
    remedy = "Start workers of the release that planned them; until then they wait, and no attempt is charged."
    return Check(name, False, f"unreadable_step: {which}", remedy)
