"""The first moves of a takedown, made at once: pointers go, and caches forget them, before anybody is told.

The cleanup step does the same again and removes the objects, and steps that follow it purge everything; this only spares
the wait for a worker.
"""

from __future__ import annotations

import asyncio
import logging

from rushes.engine.job import PurgeSettings
from rushes.packaging.purge import pointers, requests
from rushes.packaging.purging import send

PROMPT = 0.5
"""Seconds that an answer waits for the caches at most."""
log = logging.getLogger("rushes.api")


class Purger:
    """Has caches forget pointers, of one application."""

    def __init__(self, purge: PurgeSettings | None) -> None:
        self._purge = purge
        self._under_way: set[asyncio.Task[None]] = set()

    async def forget(self, asset: str) -> None:
        """Returns when the caches have forgotten, or after PROMPT seconds: then it goes on behind the answer. Never raises for
        what they do: the step that follows tries until it succeeds."""
        if self._purge is None:
            return
        task = asyncio.create_task(self._tell(self._purge, asset))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        await asyncio.wait({task}, timeout=PROMPT)

    async def _tell(self, purge: PurgeSettings, asset: str) -> None:
        for text in await send(purge, requests(purge, asset, pointers(asset))):
            log.warning("not purged at once: %s", text, extra={"asset": asset})
