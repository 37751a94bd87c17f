"""One look at the catalog per asset and interval, however many people watch that asset."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

from rushes.api.records import Record

Load = Callable[[str], Record]


class Feed:
    """The newest record of one asset, looked up again and again while somebody listens."""

    def __init__(self, asset: str, load: Load, interval: float) -> None:
        self.listeners = 0
        self.latest: Record | None = None
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._look(asset, load, interval))

    async def _look(self, asset: str, load: Load, interval: float) -> None:
        while True:
            record = await asyncio.to_thread(load, asset)
            if record != self.latest:
                self.latest = record
                self._changed.set()
                self._changed = asyncio.Event()
            await asyncio.sleep(interval)

    async def after(self, seen: Record | None, patience: float) -> Record | None:
        """A record other than `seen`; None if there is none within `patience` seconds. Raises what looking raised."""
        if self.latest is not None and self.latest != seen:
            return self.latest
        changed = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait({changed, self._task}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
        if self._task.done():
            self._task.result()
        return self.latest if self.latest != seen else None

    def stop(self) -> None:
        self._task.cancel()


class Watcher:
    """Feeds that are shared by their listeners and end with the last of them."""

    def __init__(self, load: Load, interval: float = 0.25) -> None:
        self._load = load
        self._interval = interval
        self.feeds: dict[str, Feed] = {}

    async def watch(self, asset: str, patience: float) -> AsyncGenerator[Record | None, None]:
        """Each change of an asset, the present state first; None after `patience` seconds without one. Endless."""
        feed = self.feeds.get(asset)
        if feed is None:
            feed = self.feeds[asset] = Feed(asset, self._load, self._interval)
        feed.listeners += 1
        try:
            seen: Record | None = None
            while True:
                record = await feed.after(seen, patience)
                seen = record or seen
                yield record
        finally:
            feed.listeners -= 1
            if not feed.listeners:
                feed.stop()
                if self.feeds.get(asset) is feed:
                    del self.feeds[asset]
