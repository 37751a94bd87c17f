"""Checks of what the members of a fleet share: the object store and the doorbell."""

from __future__ import annotations

from collections.abc import Callable

from rushes.catalog.open import is_shared
from rushes.settings import Settings
from rushes.storage.open import open_store
from rushes.storage.store import ConditionalPut, StoreError
from rushes.workers.doctor import Check
from rushes.workers.doorbell_address import LOCAL, Address
from rushes.workers.reach import try_out


def all_checks(settings: Settings) -> list[tuple[str, Callable[[], Check]]]:
    return [
        ("object store", lambda: object_store(settings)),
        ("doorbell", lambda: doorbell(settings)),
        ("preview secret", lambda: preview_secret(settings)),
    ]


def object_store(settings: Settings) -> Check:
    """Bytes that are put can be read again and taken away. Local objects are looked at with the data directory."""
    name, remedy = "object store", "See docs/object-stores.md: address, bucket, keys, and the rights they need."
    if not settings.storage.startswith("s3:"):
        return Check(name, True, "in the data directory")
    store = open_store(settings.storage)
    try:
        same = try_out(store)
    except StoreError as error:
        return Check(name, False, str(error), remedy)
    conditional = isinstance(store, ConditionalPut) and store.conditional
    how = "conditional puts" if conditional else "no conditional puts: pointers are swapped by announcement"
    return Check(name, same, f"S3, can be written, read and deleted; {how}", remedy)


def preview_secret(settings: Settings) -> Check:
    """Servers of a fleet refuse to start without one: each would refuse the private addresses of the others."""
    name = "preview secret"
    if settings.preview_secret:
        return Check(name, True, "set")
    if is_shared(settings.database):
        return Check(name, False, "not set", "Set RUSHES_PREVIEW_SECRET, to the same long random text on every server.")
    return Check(name, True, "kept in the data directory")


def doorbell(settings: Settings) -> Check:
    """A doorbell that is out of order delays work by a second or two, and loses none."""
    name = "doorbell"
    if settings.broker_url == LOCAL:
        return Check(name, True, "local, within the data directory")
    from rushes.workers.doorbell_redis import TROUBLE, ping  # deferred: it needs an extra

    address = Address.parse(settings.broker_url)
    try:
        version = ping(address)
    except TROUBLE as error:
        remedy = "Start it, or correct RUSHES_BROKER_URL. Until then workers look for themselves every two seconds."
        return Check(name, False, f"{address} does not answer: {error}", remedy)
    return Check(name, True, f"{address}, version {version}")
