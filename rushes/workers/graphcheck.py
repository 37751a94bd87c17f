"""The check of what releases that run side by side have planned: whether somebody is there who can do it."""

from __future__ import annotations

from rushes.catalog.catalog import Catalog
from rushes.catalog.change import Store
from rushes.catalog.database import migrations
from rushes.catalog.open import database_path, is_shared, open_database
from rushes.engine.version import GRAPH
from rushes.settings import Settings
from rushes.workers.doctor import Check


def releases(settings: Settings) -> Check:
    """Steps that no worker knows wait, unharmed, for one of a newer release; nobody else will say that they do."""
    name = "releases"
    if not is_shared(settings.database) and not database_path(settings.database).exists():
        return Check(name, True, f"graph version {GRAPH}; no database yet")
    database = open_database(settings.database)
    try:
        if database.version() != migrations()[-1][0]:
            return Check(name, True, f"graph version {GRAPH}; the database is of another one")
        found = Catalog(Store(database)).unreadable()
    finally:
        database.close()
    if not found:
        return Check(name, True, f"graph version {GRAPH}; every open step is known to a worker")
    which = ", ".join(f"{one.steps} of kind {one.kind} (version {one.version}, pool {one.pool})" for one in found)
    remedy = "Start workers of the release that planned them; until then they wait, and no attempt is charged."
    return Check(name, False, f"unreadable_step: {which}", remedy)
