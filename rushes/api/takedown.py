"""The first moves of a takedown, made at once: the pointers go before anybody is told that the asset is deleted.

The cleanup step does the same again and removes the objects; this only spares the wait for a worker.
"""

from __future__ import annotations

from rushes.keys import tombstone_key
from rushes.packaging.takedown import unpublish
from rushes.storage.store import PRIVATE, Headers, ObjectStore


def hide(store: ObjectStore, asset: str) -> None:
    """The tombstone first, so that a late publish step finds it before it writes a pointer again. Safe to repeat."""
    store.put_bytes(tombstone_key(asset), b"deleted\n", Headers("text/plain; charset=utf-8", PRIVATE))
    unpublish(store, asset)
