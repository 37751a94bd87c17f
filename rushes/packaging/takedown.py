"""Taking things away: the pointer only, or the whole asset. Both say which paths a CDN has to purge."""

from __future__ import annotations

from collections.abc import Sequence

from rushes.keys import PRIVATE_TREE, early_key, media_prefix, tombstone_key
from rushes.packaging import pointer
from rushes.storage.store import PRIVATE, Headers, ObjectStore, delete_all

_PASSES = 3  # a step that was running may write while we delete; what it leaves after that, the sweep collects


def unpublish(store: ObjectStore, asset: str) -> list[str]:
    """Remove the pointers. The build stays, so that a later decision can publish it again. Returns purge paths."""
    return [f"/{key}" for key in pointer.remove(store, asset)]


def hide(store: ObjectStore, asset: str) -> list[str]:
    """The first moves of a deletion: the tombstone, so that a late publish step finds it before it writes a pointer again, then
    the pointers, so that no player is led to objects that go. Safe to repeat. Returns purge paths."""
    store.put_bytes(tombstone_key(asset), b"deleted\n", Headers("text/plain; charset=utf-8", PRIVATE))
    return unpublish(store, asset)


def public_paths(store: ObjectStore, asset: str) -> list[str]:
    """Everything of an asset that a cache may hold, playlists of builds before their segments."""
    prefixes = (
        f"{media_prefix(asset)}b/",
        f"{media_prefix(asset)}g/",
        f"{media_prefix(asset)}t/",
        f"artifacts/{asset}/",
    )
    return [f"/{info.key}" for prefix in prefixes for info in store.list(prefix)]


def takedown(store: ObjectStore, asset: str, tenant: str | None = None) -> list[str]:
    """Delete an asset for good: tombstone, pointers, media, artifacts, what an early probe was shown and, if the tenant is
    given, its sources.

    Safe to repeat. Returns the paths of everything that a cache may hold.
    """
    purge = dict.fromkeys(hide(store, asset))
    public = [media_prefix(asset), f"artifacts/{asset}/"]
    private = [early_key(asset), f"{PRIVATE_TREE}{asset}/", *([f"sources/{tenant}/{asset}/"] if tenant else [])]
    for _ in range(_PASSES):
        purge |= dict.fromkeys(f"/{key}" for prefix in public for key in _delete_all(store, prefix))
        for prefix in private:
            _delete_all(store, prefix)
    return list(purge)


def remove_losers(store: ObjectStore, asset: str, keep: Sequence[str]) -> int:
    """Delete outputs of attempts whose prefix is not in `keep`; builds and pointers are not touched. Returns how many."""
    removed = 0
    for prefix in (f"{media_prefix(asset)}t/", f"{PRIVATE_TREE}{asset}/t/", f"artifacts/{asset}/"):
        losers = [info.key for info in store.list(prefix) if not info.key.startswith(tuple(keep))]
        delete_all(store, losers)
        removed += len(losers)
    return removed


def remove_sources(store: ObjectStore, asset: str, tenant: str) -> int:
    """Delete what lies where the sources of an asset are. Returns how much."""
    return len(_delete_all(store, f"sources/{tenant}/{asset}/"))


def _delete_all(store: ObjectStore, prefix: str) -> list[str]:
    keys = [info.key for info in store.list(prefix)]
    delete_all(store, keys)
    return keys
