"""The catalog as whoever watches reaches it: what is made on demand, and what is there of it."""

from __future__ import annotations

from rushes.catalog import demands, on_request
from rushes.catalog.reception import Reception
from rushes.model import Asset
from rushes.tracks import Track


class OnDemand(Reception):
    def demand(self, asset: str, by: demands.By, plays: int = 1) -> Asset:
        """Somebody wants to see the video: what its build was made without is made, once. Raises NotFound, Conflict."""
        with self._store.change() as change:
            return demands.want(change, asset, by, plays)

    def offer(self, asset: str) -> on_request.Offer:
        """What could be made of it on request. Raises NotFound."""
        with self._database.read() as tx:
            return on_request.offer(tx, asset)

    def lazy_chunks(self, asset: Asset, rung: str) -> on_request.Chunks | None:
        """The steps that make a rung on demand; None where they are not planned."""
        with self._database.read() as tx:
            return on_request.chunks(tx, asset, rung)

    def lazy_init(self, asset: Asset, rung: str) -> Track | None:
        """A part of a rung made on demand that is there, for its init segment."""
        with self._database.read() as tx:
            return on_request.initial(tx, asset, rung)

    def lazy_progress(self, asset: str, key: str, rung: str) -> on_request.Progress:
        with self._database.read() as tx:
            return on_request.progress(tx, asset, key, rung)

    def hasten(self, asset: str, key: str) -> None:
        """A player waits for what a step makes. Raises NotFound."""
        with self._store.change() as change:
            on_request.hasten(change, asset, key)
