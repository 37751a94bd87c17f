"""Compares the catalog with the object store, asset by asset, and has what disagrees put right.

The two can only disagree after a restore of one of them, after a hand in the bucket, or where a store carried out a write long
after its writer was dead. What is to be done is decided by a pure function; the mending goes through the catalog's steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice

from rushes.catalog.catalog import Catalog
from rushes.errors import NotFound
from rushes.keys import PRIVATE_TREE, build_prefix, media_prefix, pointer_key, tombstone_key
from rushes.model import Asset, StepView
from rushes.packaging.hls import MASTER
from rushes.packaging.pointer import NAMES, build_of
from rushes.packaging.takedown import takedown, unpublish
from rushes.states import AssetState, Publication, StepKind, StepState
from rushes.storage.store import ObjectMissing, ObjectStore, exists
from rushes.tracks import has_dash

AT_ONCE = 16
"""Assets looked at at the same time: a look is four small requests."""
PAGE = 200


class Fault(StrEnum):
    DELETED_SINCE = "deleted_since"
    LEFT_BEHIND = "left_behind"
    STILL_PUBLIC = "still_public"
    POINTER_MISSING = "pointer_missing"
    POINTER_OLD = "pointer_old"
    POINTER_NEWER = "pointer_newer"
    BUILD_MISSING = "build_missing"
    SOURCE_MISSING = "source_missing"
    UNKNOWN_ASSET = "unknown_asset"

    @property
    def mendable(self) -> bool:
        return self not in (Fault.BUILD_MISSING, Fault.SOURCE_MISSING, Fault.UNKNOWN_ASSET)

    @property
    def message(self) -> str:
        return _MESSAGES[self]


_MESSAGES = {
    Fault.DELETED_SINCE: "The store says that this asset was deleted; the catalog does not know of it yet.",
    Fault.LEFT_BEHIND: "The asset was deleted, and there are objects of it.",
    Fault.STILL_PUBLIC: "There is a pointer, but the asset is not public.",
    Fault.POINTER_MISSING: "The asset is published, but its pointer is not there.",
    Fault.POINTER_OLD: "The pointer names an older build than the one that was published.",
    Fault.POINTER_NEWER: "The pointer names a newer build than the one that was published.",
    Fault.BUILD_MISSING: "The manifests of the asset's build are not in the store: `rushes retry`, or upload it again.",
    Fault.SOURCE_MISSING: "The original is not in the store, and there is work left that needs it: it must be uploaded again.",
    Fault.UNKNOWN_ASSET: "The store has an original of an asset that the catalog does not know.",
}


@dataclass(frozen=True)
class Seen:
    """What the store has of an asset."""

    tombstone: bool
    pointers: tuple[int, ...]
    """The builds that the pointers name, of HLS and of DASH; 0 where there is none."""
    build: bool
    """Whether the manifests of the catalog's build are there."""
    source: bool
    rest: bool = False
    """Of a deleted asset: whether any object of it is there."""
    publishing: bool = False
    """A step is about to write the pointers, or has just done so; the catalog knows it once that step has ended."""


@dataclass(frozen=True)
class Finding:
    asset: str
    fault: Fault
    mended: bool = False


def judge(asset: Asset, seen: Seen) -> list[Fault]:
    """What is wrong. Pure."""
    if asset.state is AssetState.DELETED:
        return [Fault.LEFT_BEHIND] if seen.rest or seen.source else []
    if seen.tombstone:
        return [Fault.DELETED_SINCE]
    found = [_of_pointer(asset, seen)]
    if asset.state.has_build and asset.build and not seen.build:
        found.append(Fault.BUILD_MISSING)
    if asset.state in (AssetState.INGESTED, AssetState.PLAYABLE) and not seen.source:
        found.append(Fault.SOURCE_MISSING)
    return [fault for fault in found if fault]


def _of_pointer(asset: Asset, seen: Seen) -> Fault | None:
    if asset.publication is not Publication.PUBLISHED:
        return Fault.STILL_PUBLIC if any(seen.pointers) else None
    if max(seen.pointers) > asset.published_build:
        return None if seen.publishing else Fault.POINTER_NEWER
    # A first look that grows, or what is encrypted for HLS alone, has no DASH manifest, which is the first of the two.
    in_dash = asset.published_build != asset.growing and has_dash(asset.tracks)
    expected = seen.pointers if in_dash else seen.pointers[1:]
    if not all(expected):
        return Fault.POINTER_MISSING
    return Fault.POINTER_OLD if min(expected) < asset.published_build else None


def audit(
    catalog: Catalog, store: ObjectStore, *, repair: bool, progress: Callable[[int], None] = lambda count: None
) -> Iterator[Finding]:
    """Findings as they are made. `progress` is told how many assets were looked at. Raises StoreError, DatabaseUnavailable."""

    def look(asset: Asset) -> list[Finding]:
        seen = observe(store, asset)
        if not judge(asset, seen):
            return []
        # What looks wrong may have been work under way: a pointer is written before the catalog knows that it was.
        steps = catalog.steps(asset.id)
        seen = replace(seen, publishing=any(step.kind is StepKind.PUBLISH and _is_at_it(step) for step in steps))
        asset = catalog.asset(asset.id)
        return [
            Finding(asset.id, fault, repair and _mend(catalog, store, asset, fault, seen))
            for fault in judge(asset, seen)
        ]

    count = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        everything = _all(catalog)
        while some := list(islice(everything, PAGE)):
            for found in pool.map(look, some):
                yield from found
            count += len(some)
            progress(count)
    yield from _unknown(catalog, store)


def observe(store: ObjectStore, asset: Asset) -> Seen:
    return Seen(
        tombstone=exists(store, tombstone_key(asset.id)),
        pointers=tuple(_pointer(store, pointer_key(asset.id, name)) for name in NAMES),
        build=bool(asset.build) and exists(store, build_prefix(asset.id, asset.build) + MASTER),
        source=asset.source is not None and exists(store, asset.source.key),
        rest=asset.state is AssetState.DELETED and _has_objects(store, asset.id),
    )


def _all(catalog: Catalog) -> Iterator[Asset]:
    for state in (None, AssetState.DELETED):  # None: all but the deleted ones
        cursor: str | None = None
        while True:
            page, cursor = catalog.assets(tenant=None, after=cursor, limit=PAGE, state=state)
            yield from page
            if cursor is None:
                break


def _unknown(catalog: Catalog, store: ObjectStore) -> Iterator[Finding]:
    for found in store.list("sources/"):
        parts = found.key.split("/")
        if len(parts) != 4:
            continue  # nothing of ours
        asset = parts[2]
        try:
            catalog.asset(asset)
        except NotFound:
            yield Finding(asset, Fault.UNKNOWN_ASSET)


def _mend(catalog: Catalog, store: ObjectStore, asset: Asset, fault: Fault, seen: Seen) -> bool:
    """Whether something was done about it; what the catalog plans, its workers do."""
    match fault:
        case Fault.DELETED_SINCE:
            catalog.delete(asset.id)
        case Fault.LEFT_BEHIND:
            takedown(store, asset.id, asset.tenant)
        case Fault.POINTER_NEWER | Fault.STILL_PUBLIC:
            unpublish(store, asset.id)  # it may lead to outputs that the catalog does not know, and collects
            catalog.converge(asset.id, above=max(seen.pointers))
        case Fault.POINTER_MISSING | Fault.POINTER_OLD:
            catalog.converge(asset.id)
    return fault.mendable


def _has_objects(store: ObjectStore, asset: str) -> bool:
    return any(
        next(store.list(prefix), None)
        for prefix in (media_prefix(asset), f"artifacts/{asset}/", f"{PRIVATE_TREE}{asset}/")
    )


def _pointer(store: ObjectStore, key: str) -> int:
    """1 for a pointer that does not say its build: it is none of ours, but it is there."""
    try:
        return build_of(store.read(key).decode("utf-8", "replace")) or 1
    except ObjectMissing:
        return 0


def _is_at_it(step: StepView) -> bool:
    """It may have written a pointer, or is about to. A step that was tried waits for its next attempt."""
    tried = step.state is StepState.WAITING and step.attempts > 0
    return tried or step.state in (StepState.READY, StepState.RUNNING)
