"""What writers that were killed left half-written in the object store is ended by one worker of the fleet, now and then.

Beside the worker's other loops, for a store may take its time to answer; and nobody waits for it.
"""

from __future__ import annotations

import asyncio
import logging

from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.telling import Repaired
from rushes.storage.open import open_store
from rushes.storage.store import StoreError, Sweeps
from rushes.workers.plant import Plant

LOOK_EVERY = 600.0
"""Seconds between two looks whether it is time."""
log = logging.getLogger("rushes.worker")


class Sweeping:
    def __init__(self, plant: Plant) -> None:
        self._plant = plant

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                count = await asyncio.to_thread(self._swept)
            except (DatabaseUnavailable, StoreError) as error:
                log.warning("the store could not be swept: %s", error, extra={"worker": self._plant.name})
                continue
            except Exception:  # a store that answers as we do not know it must not end the worker, and all its steps
                log.exception("the store could not be swept", extra={"worker": self._plant.name})
                continue
            if count:
                self._plant.telemetry(Repaired("left_behind", count))
                text = "%d objects ended that killed writers had left half-written"
                log.info(text, count, extra={"worker": self._plant.name})

    def _swept(self) -> int:
        if not self._plant.pipeline.may_sweep(self._plant.name):
            return 0
        store = open_store(self._plant.storage)
        return store.sweep() if isinstance(store, Sweeps) else 0
