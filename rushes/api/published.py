"""Which assets are public: their pointer is there, and says whether playing takes a token. Seen once, it is believed for a
second."""

from __future__ import annotations

from dataclasses import dataclass

from rushes.clock import Clock
from rushes.keys import is_id, pointer_key
from rushes.packaging.pointer import is_signed
from rushes.storage.store import ObjectMissing, ObjectStore

BELIEVED = 1.0
"""Seconds. With a remote store, each look is a request, and a player asks for segments several times a second. A cache
may show a pointer that was taken away for 2 s (its max-age); so a takedown is still true within that time."""
MOST = 10_000
"""Assets remembered; then all are forgotten, which costs one look each."""
HEAD = 2048
"""Bytes of a pointer that are looked at: what it says of itself stands in its first lines."""


@dataclass(frozen=True)
class Seen:
    """What the pointer of a public asset said."""

    signed: bool
    at: float


class Published:
    """Safe between threads: the worst that a race does is one look more."""

    def __init__(self, store: ObjectStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._seen: dict[str, Seen] = {}

    def known(self, asset: str) -> Seen | None:
        """What was seen less than a second ago; never blocks."""
        seen = self._seen.get(asset)
        return seen if seen is not None and self._clock.monotonic() - seen.at < BELIEVED else None

    def look(self, asset: str) -> Seen:
        """Blocks. Raises ObjectMissing unless the asset is public. What is not public is never remembered."""
        if not is_id(asset):
            raise ObjectMissing("there is no such asset")
        if (known := self.known(asset)) is not None:
            return known
        now = self._clock.monotonic()
        fetched = self._store.fetch(pointer_key(asset, "master.m3u8"), 0, HEAD)
        with fetched.stream as stream:
            text = stream.read(HEAD).decode("utf-8", "replace")
        if len(self._seen) >= MOST:
            self._seen.clear()
        seen = self._seen[asset] = Seen(is_signed(text), now)
        return seen

    def forget(self, asset: str) -> None:
        """In this process, it is looked for at once."""
        self._seen.pop(asset, None)
