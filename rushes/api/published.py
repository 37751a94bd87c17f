"""Which assets are public: their pointer is there. Seen once, it is believed for a second."""

from __future__ import annotations

from rushes.clock import Clock
from rushes.keys import is_id, pointer_key
from rushes.storage.store import ObjectMissing, ObjectStore

BELIEVED = 1.0
"""Seconds. With a remote store, each look is a request, and a player asks for segments several times a second. A cache
may show a pointer that was taken away for 2 s (its max-age); so a takedown is still true within that time."""
MOST = 10_000
"""Assets remembered; then all are forgotten, which costs one look each."""


class Published:
    """Safe between threads: the worst that a race does is one look more."""

    def __init__(self, store: ObjectStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._seen: dict[str, float] = {}

    def check(self, asset: str) -> None:
        """Raises ObjectMissing unless the asset is public. What is not public is never remembered."""
        if not is_id(asset):
            raise ObjectMissing("there is no such asset")
        now = self._clock.monotonic()
        if now - self._seen.get(asset, now - 2 * BELIEVED) < BELIEVED:
            return
        self._store.head(pointer_key(asset, "master.m3u8"))
        if len(self._seen) >= MOST:
            self._seen.clear()
        self._seen[asset] = now

    def forget(self, asset: str) -> None:
        """In this process, it is looked for at once."""
        self._seen.pop(asset, None)
