"""Whether this worker gets at the object store: an outage, or wrong keys, must not be charged to the steps."""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import replace
from functools import cached_property

from rushes.storage.bucket import Bucket
from rushes.storage.s3 import S3Store
from rushes.storage.store import ObjectStore, StoreError

LOOK_AGAIN = 2.0
"""Seconds between two trials while the store is away."""
TRIAL = {"timeout": "3", "attempts": "1"}
"""A trial ends soon, for a step waits for it and so may the end of the worker."""
log = logging.getLogger("rushes.worker")


def try_out(store: ObjectStore) -> bool:
    """Put a few bytes, read them and take them away. False where others came back; raises StoreError."""
    key = f"health/{secrets.token_hex(8)}"
    store.put_bytes(key, b"rushes")
    same = store.read(key) == b"rushes"
    store.delete(key)
    return same


class Reach:
    """`storage` as in the settings. A local store has nothing that could be away."""

    def __init__(self, storage: str) -> None:
        self._storage = storage
        self._lost = asyncio.Event()

    @property
    def there(self) -> bool:
        """Whether steps may be claimed."""
        return not self._lost.is_set()

    async def is_lost(self, patience: float) -> bool:
        """After a step that could not get at the store: whether nobody here can. Takes `patience` seconds at most."""
        if not self._storage.startswith("s3:") or self._lost.is_set():
            return self._lost.is_set()
        try:
            async with asyncio.timeout(patience):
                trouble = await self._trouble()
        except TimeoutError:
            trouble = f"no answer within {patience:.1f} s"
        if trouble and self.there:
            self._lost.set()
            log.error("the object store does not serve this worker (%s): nothing is claimed until it does", trouble)
        return bool(trouble)

    async def watch(self) -> None:
        """While the store is away, look for it."""
        while True:
            await self._lost.wait()
            await asyncio.sleep(LOOK_AGAIN)
            if not await self._trouble():
                self._lost.clear()
                log.info("the object store serves this worker again")

    async def _trouble(self) -> str:
        try:
            return "" if await asyncio.to_thread(lambda: try_out(self._store)) else "other bytes came back"
        except StoreError as error:
            return str(error)

    @cached_property
    def _store(self) -> ObjectStore:
        bucket = Bucket.parse(self._storage)
        return S3Store(replace(bucket, options={**bucket.options, **TRIAL}))
