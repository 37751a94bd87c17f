"""Somebody watches: what a profile calls lazy is made. Playbacks are told to the catalog, off the way of any answer."""

from __future__ import annotations

import asyncio
import logging

from rushes.catalog.catalog import Catalog
from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.demands import By
from rushes.clock import Clock
from rushes.errors import RushesError
from rushes.model import Asset

SILENT = 60.0
"""Seconds for which nothing more is told of an asset once the catalog has heard enough: then one look costs a read."""
MOST_ASSETS = 10_000
MOST_AT_ONCE = 4
"""Playbacks of further assets that come while so many are being told are passed over: players will be back."""
log = logging.getLogger("rushes.demand")


class Plays:
    """Of one process. Many plays of one asset at a time are one."""

    def __init__(self, catalog: Catalog, clock: Clock, needed: int) -> None:
        """`needed`: plays that make a demand."""
        self._catalog, self._clock, self._needed = catalog, clock, needed
        self._quiet: dict[str, float] = {}
        self._telling: dict[str, asyncio.Task[None]] = {}

    def notice(self, asset: str, by: By) -> None:
        """Never blocks, never fails."""
        quiet = self._quiet.get(asset)
        if asset in self._telling or len(self._telling) >= MOST_AT_ONCE:
            return
        if quiet is None or self._clock.monotonic() >= quiet:
            task = self._telling[asset] = asyncio.create_task(asyncio.to_thread(self._tell, asset, by))
            task.add_done_callback(lambda _: self._telling.pop(asset, None))

    async def settled(self) -> None:
        """What was noticed so far has been told."""
        await asyncio.gather(*self._telling.values())

    def _tell(self, asset: str, by: By) -> None:
        try:
            noun = self._catalog.asset(asset)
            if not is_settled(noun):
                before, noun = noun.demand, self._catalog.demand(asset, by, self._needed)
                if noun.demand != before and not is_settled(noun):
                    return  # the next one counts too; where nothing was written, nothing is lazy so far
        except (RushesError, DatabaseUnavailable) as error:
            log.info("a playback of %s was not noted: %s", asset, error)
        except ValueError:  # the record cannot be read
            log.warning("a playback of %s was not noted: its record cannot be read", asset)
        if len(self._quiet) >= MOST_ASSETS:
            self._quiet.clear()
        self._quiet[asset] = self._clock.monotonic() + SILENT


def is_settled(asset: Asset) -> bool:
    """Another play changes nothing."""
    return asset.ready_at is not None and (not asset.lazy or asset.demand.requested_at is not None)
