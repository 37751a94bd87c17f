"""The promise: what was acknowledged is not lost, each asset is published once or failed with a reason, and what is published leads
to segments that are there and that won. Looks at catalog and store; changes nothing."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from rushes.catalog import steps
from rushes.catalog.catalog import Catalog
from rushes.catalog.change import Store
from rushes.catalog.database import Session
from rushes.errors import NotFound
from rushes.keys import build_prefix, growing_prefix, media_prefix, pointer_key
from rushes.model import Asset
from rushes.packaging.hls import MASTER
from rushes.packaging.pointer import build_of
from rushes.states import AssetState, Publication
from rushes.storage.store import ObjectMissing, ObjectStore, exists

ONCE = ("asset.created", "asset.ingested", "asset.playable", "asset.ready", "asset.published")
"""Events that an asset has once at the most, however often its steps are done."""
_URI = re.compile(r'URI="([^"]+)"')
_PAGE = 1000


def broken(store: Store, objects: ObjectStore, acknowledged: Iterable[str]) -> list[str]:
    """Sentences about what does not hold; none where the promise is kept. For a time when nothing is left to be done."""
    catalog, found = Catalog(store), []
    wanted = list(acknowledged)
    for asset in wanted:
        try:
            noun = catalog.asset(asset)
        except NotFound:
            found.append(f"{asset} is lost: it was acknowledged, and the catalog does not know it.")
            continue
        found += _of_state(noun)
        with store.database.read() as tx:
            found += [*_of_steps(tx, asset), *_of_pointer(tx, objects, noun)]
    with store.database.read() as tx:
        again = Counter({asset: _taken_down(tx, asset) for asset in wanted})
    return [*found, *_of_events(catalog, again)]


def _taken_down(tx: Session, asset: str) -> int:
    """How often: what was cancelled or blocked while it was public, and then goes on, is published again."""
    found = tx.one(
        "SELECT count(*) AS times FROM steps WHERE asset = :asset AND key LIKE 'cleanup.unpublish.%'", {"asset": asset}
    )
    return int(found["times"]) if found else 0


def _of_state(asset: Asset) -> Iterator[str]:
    if not asset.state.is_final:
        yield f"{asset.id} is neither ready nor failed nor deleted: {asset.state}."
    if asset.state is AssetState.FAILED and asset.reason is None:
        yield f"{asset.id} failed without a reason."


def _of_steps(tx: Session, asset: str) -> Iterator[str]:
    rows = tx.all(
        "SELECT key, state FROM steps WHERE asset = :asset AND state IN ('waiting', 'ready', 'running')",
        {"asset": asset},
    )
    yield from (f"{asset} has a step {row['key']} that is {row['state']}." for row in rows)
    twice = tx.all(
        "SELECT s.key FROM steps s JOIN attempts t ON t.step = s.id WHERE s.asset = :asset AND t.outcome = 'done'"
        " AND t.result IS NULL GROUP BY s.id, s.key HAVING count(*) > 1",
        {"asset": asset},
    )
    yield from (f"{asset}: {row['key']} was done more than once." for row in twice)


def _of_pointer(tx: Session, objects: ObjectStore, asset: Asset) -> Iterator[str]:
    """From the pointer to the last segment."""
    public = asset.publication is Publication.PUBLISHED
    try:
        text = objects.read(pointer_key(asset.id, MASTER)).decode()
    except ObjectMissing:
        if public:
            yield f"{asset.id} is published and has no pointer."
        return
    if not public:
        yield f"{asset.id} has a pointer and is {asset.publication}."
        return
    if build_of(text) != asset.published_build:
        yield f"{asset.id} is published as build {asset.published_build}, and its pointer names {build_of(text)}."
    won = tuple(steps.winners(tx, asset.id))
    places = (build_prefix(asset.id, build_of(text)), growing_prefix(asset.id, build_of(text)), *won)
    for key in _reached(objects, pointer_key(asset.id, MASTER), text):
        if not exists(objects, key):
            yield f"{asset.id} is published, and {key} is missing."
        elif not key.startswith(places):
            yield f"{asset.id} is published with {key}, which is not of an attempt that won."


def _reached(objects: ObjectStore, key: str, text: str) -> Iterator[str]:
    """Keys that a playlist names, and those that they name."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    for name in dict.fromkeys([*lines, *_URI.findall(text)]):
        target = posixpath.normpath(posixpath.join(posixpath.dirname(key), name))
        yield target
        if target.endswith(".m3u8") and exists(objects, target):
            yield from _reached(objects, target, objects.read(target).decode())


def _of_events(catalog: Catalog, again: Mapping[str, int]) -> Iterator[str]:
    """`again`: how often each may have been published once more."""
    told: Counter[tuple[str, str]] = Counter()
    for asset in again:
        told.update((asset, event.type) for event in catalog.events(asset=asset, limit=_PAGE) if event.type in ONCE)
    for (asset, type_), count in told.items():
        if count > 1 + (again[asset] if type_ == "asset.published" else 0):
            yield f"{asset}: {type_} was told {count} times."


def leftovers(objects: ObjectStore, asset: str) -> list[str]:
    """Media of an asset that was deleted."""
    return [found.key for found in objects.list(media_prefix(asset))]
