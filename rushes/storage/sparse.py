"""A local file with some of an object's bytes: as long as the object, and zeros where nothing was fetched."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rushes.storage.store import ObjectStore, StoreError

AT_ONCE = 4
PIECE = 8 * 2**20
"""Bytes of one request, at most."""
BLOCK = 2**20


class SparseCopy:
    """Holes take no room on the disk. All bytes are of one version of the object: another one is a StoreError."""

    def __init__(self, store: ObjectStore, key: str, path: Path) -> None:
        """Raises ObjectMissing, StoreError."""
        self._store = store
        self._key = key
        self.path = path
        info = store.head(key)
        self.size, self._etag = info.size, info.etag
        self.fetched = 0
        """Bytes so far."""
        with path.open("wb") as file:
            file.truncate(self.size)

    def fetch(self, spans: Iterable[range]) -> None:
        """Put the bytes of these spans, which do not overlap, into their places; what lies behind the end is left out."""
        pieces = [
            range(start, min(start + PIECE, span.stop, self.size))
            for span in spans
            for start in range(span.start, min(span.stop, self.size), PIECE)
        ]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            self.fetched += sum(pool.map(self._fetch, pieces))

    def _fetch(self, piece: range) -> int:
        found = self._store.fetch(self._key, piece.start, piece.stop)
        with found.stream as stream, self.path.open("r+b") as file:
            if found.info.etag != self._etag:
                raise StoreError(f"{self._key}: the object was replaced while it was being read")
            at = piece.start
            while at < piece.stop and (block := stream.read(min(BLOCK, piece.stop - at))):
                at += os.pwrite(file.fileno(), block, at)
        if at != piece.stop:
            raise StoreError(f"{self._key}: {piece.stop - at} bytes at {at} are not there")
        return len(piece)
