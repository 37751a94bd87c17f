"""Small uploads that come whole with their creation, several at once.

Each goes the way of every upload: the rows of upload and asset, the bytes as an object, the end in the catalog; and it is
answered when all of that is on the disk. But those that come at the same time go together: one hop to a thread, two
transactions, one wait for the disk. While they are under way the next ones gather, so whoever comes alone waits for nobody.

A kill leaves what it leaves of any upload: before the object, an upload without bytes, which expires; after it, one that
whoever looks next finishes (`rushes.ingest.finish`). Its client has no address of it yet, and creates another one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.reception import Beginning
from rushes.catalog.records import Upload
from rushes.facts import SourceRef
from rushes.ingest.access import Caller
from rushes.ingest.body import SMALL
from rushes.ingest.early_look import SMALLEST
from rushes.ingest.finish import store_key
from rushes.ingest.metadata import filename_of
from rushes.ingest.requests import Append, Creation
from rushes.ingest.reservations import rule_of
from rushes.ingest.services import Services
from rushes.model import Asset
from rushes.options import SAID
from rushes.states import AssetState
from rushes.storage.store import BulkPut, StoreError

LARGEST = min(SMALL, SMALLEST)
"""Bytes: what a server holds of a body while nobody reads it, and of which nothing can be said before its end."""
MOST = 64
"""Uploads that go together."""

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Newcomer:
    upload: Upload
    asset: Asset
    body: bytes

    @property
    def key(self) -> str:
        return store_key(self.upload)


@dataclass(frozen=True)
class Taken:
    """What became of a newcomer; all went well where both are None."""

    refused: BaseException | None = None
    """There is no upload."""
    failed: Exception | None = None
    """The upload is there, and has not come to its end."""


def may_go_along(caller: Caller, creation: Creation, first: Append) -> bool:
    """Whether there is nothing to it but few bytes. Who comes by a one-time address may come twice, which has to be seen."""
    return (
        creation.kind == "whole"
        and 0 < (creation.length or 0) <= LARGEST
        and creation.length == first.size
        and first.check is None
        and not creation.digests
        and SAID.isdisjoint(creation.metadata)
        and caller.ticket is None
    )


class Together:
    """Of one process. Belongs to its event loop."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._objects = services.objects if isinstance(services.objects, BulkPut) else None
        self._waiting: list[tuple[Newcomer, asyncio.Future[Taken]]] = []
        self._is_busy = False

    def is_open_to(self, tenant: str) -> bool:
        """The object store takes several at once, and nothing limits this tenant's requests."""
        return self._objects is not None and self._services.throttle.is_free(tenant)

    async def take(self, newcomer: Newcomer) -> Taken:
        """After all of it is durable."""
        future: asyncio.Future[Taken] = asyncio.get_running_loop().create_future()
        self._waiting.append((newcomer, future))
        if not self._is_busy:
            self._start()
        return await future

    def _start(self) -> None:
        batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        self._is_busy = True
        newcomers = [newcomer for newcomer, _ in batch]
        taking = asyncio.ensure_future(self._services.call(take_all, self._services, self._objects, newcomers))
        taking.add_done_callback(partial(self._done, [future for _, future in batch]))

    def _done(self, futures: Sequence[asyncio.Future[Taken]], taking: asyncio.Future[list[Taken]]) -> None:
        self._is_busy = False
        if self._waiting:
            self._start()
        error = taking.exception()
        results = [Taken(refused=error)] * len(futures) if error else taking.result()
        for future, taken in zip(futures, results, strict=True):
            if not future.done():  # its request may have been cancelled
                future.set_result(taken)


def take_all(services: Services, objects: BulkPut | None, newcomers: Sequence[Newcomer]) -> list[Taken]:
    """What goes wrong with one of them is that one's alone. Blocks."""
    if objects is None:
        raise TypeError("this object store takes one at a time")
    taken: dict[str, Taken] = {}
    begun = _all_or_each(services.catalog.create_uploads, [_beginning(services, one) for one in newcomers])
    for one, made in zip(newcomers, begun, strict=True):
        taken[one.upload.id] = Taken(refused=made if isinstance(made, Exception) else None)
    there = [one for one in newcomers if taken[one.upload.id].refused is None]
    for one, error in zip(there, objects.put_new([(one.key, one.body) for one in there]), strict=True):
        if error is not None:
            taken[one.upload.id] = Taken(failed=error)
            _expect(services, one)
    stored = [one for one in there if taken[one.upload.id].failed is None]
    ended = _all_or_each(services.catalog.finish_uploads, [(one.upload, _source(one)) for one in stored])
    for one, asset in zip(stored, ended, strict=True):
        if isinstance(asset, Exception):
            taken[one.upload.id] = Taken(failed=asset)
        elif asset.source is None or asset.state is AssetState.DELETED:
            services.objects.delete(one.key)  # given up meanwhile: nothing else would ever remove it
    return [taken[one.upload.id] for one in newcomers]


def _beginning(services: Services, one: Newcomer) -> Beginning:
    premises = services.gauges.premises(one.upload.tenant)
    return Beginning(one.upload, one.asset, rule_of(one.upload, premises), day=premises.quota.bytes_per_day > 0)


def _source(one: Newcomer) -> SourceRef:
    return SourceRef(key=one.key, version=1, size=len(one.body), filename=filename_of(one.upload.metadata))


def _expect(services: Services, one: Newcomer) -> None:
    """Its bytes could not be stored: let it be an upload that waits for them."""
    try:
        services.uploads.create(one.upload.id, one.key, one.upload.length)
    except (OSError, StoreError) as error:
        log.warning("upload %s has no place for its bytes: %s", one.upload.id, error)


def _all_or_each(do: Callable[[Sequence[T]], Sequence[R]], items: Sequence[T]) -> Sequence[R | Exception]:
    """What `do` gives for all of them or, where it did none for the sake of one, for each alone: or why not."""
    if not items:
        return []
    try:
        return do(items)
    except DatabaseUnavailable as error:
        return [error] * len(items)
    except Exception as error:
        log.exception("%d uploads could not be taken at once", len(items))
        return [error] if len(items) == 1 else [result for item in items for result in _all_or_each(do, [item])]
