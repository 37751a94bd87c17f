"""Checks of what the members of a fleet share: the object store and the doorbell."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from rushes.catalog.open import is_shared, open_database
from rushes.clock import Clock, SystemClock
from rushes.settings import Settings
from rushes.storage.open import open_store
from rushes.storage.store import ConditionalPut, StoreError
from rushes.workers.doctor import Check
from rushes.workers.doorbell_address import LOCAL, Address
from rushes.workers.reach import try_out
from rushes.workers.standing import TOO_FAR


def all_checks(settings: Settings) -> list[tuple[str, Callable[[], Check]]]:
    return [
        ("object store", lambda: object_store(settings)),
        ("doorbell", lambda: doorbell(settings)),
        ("preview secret", lambda: preview_secret(settings)),
        ("clock of the fleet", lambda: shared_clock(settings, SystemClock())),
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
    from rushes.workers import doorbell_redis  # deferred: it needs an extra

    address = Address.parse(settings.broker_url)
    try:
        version = doorbell_redis.ping(address)
        nonsense = doorbell_redis.nonsense(address)
    except doorbell_redis.TROUBLE as error:
        code = doorbell_redis.trouble_code(error)
        return Check(name, False, f"{code}: {address}: {error}", _DOORBELL_REMEDIES[code == doorbell_redis.REFUSED])
    if nonsense:
        detail = f"{doorbell_redis.MALFORMED}: {address} holds {nonsense} messages that are no rings of ours"
        return Check(
            name, False, detail, "Find who writes to this Redis; workers throw such messages away as they meet them."
        )
    return Check(name, True, f"{address}, version {version}")


_DOORBELL_REMEDIES = {
    False: "Start it, or correct RUSHES_BROKER_URL. Until then workers look for themselves every two seconds.",
    True: "Correct user and password in RUSHES_BROKER_URL, or the rights of that user. Until then workers look for themselves.",
}
"""By whether there is a Redis that refuses us."""


def shared_clock(settings: Settings, clock: Clock) -> Check:
    """Leases go by the database's clock; signed requests, tokens and webhooks by this host's."""
    name = "clock of the fleet"
    if not is_shared(settings.database):
        return Check(name, True, "this machine's own")
    with contextlib.closing(open_database(settings.database)) as database, database.read() as tx:
        skew = clock.now() - tx.now
    good = abs(skew) < TOO_FAR
    detail = f"this host's clock is {skew:+.1f} s from it"
    return Check(
        name,
        good,
        detail if good else f"clock_skew: {detail}",
        "Set the clocks (NTP); until then this host takes no work.",
    )
