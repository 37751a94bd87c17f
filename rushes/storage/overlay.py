"""A store on top of another one: what is written or deleted stays on top, and the one below is only read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from rushes.storage.store import Fetched, Headers, Listed, ObjectInfo, ObjectMissing, ObjectStore, exists

PLAIN = Headers()
SCHEME = "overlay:"


def overlay_url(top: Path, below: str) -> str:
    """The address of a store that keeps what is new in the directory `top`."""
    return f"{SCHEME}{top}|{below}"


def parts_of(url: str) -> tuple[Path, str]:
    top, _, below = url.removeprefix(SCHEME).partition("|")
    return Path(top), below


class OverlayStore:
    def __init__(self, top: ObjectStore, below: ObjectStore) -> None:
        self._top = top
        self._below = below
        self._gone: set[str] = set()
        """Keys that were deleted here."""

    def put_bytes(self, key: str, data: bytes, headers: Headers = PLAIN) -> ObjectInfo:
        self._gone.discard(key)
        return self._top.put_bytes(key, data, headers)

    def put_file(self, key: str, path: Path, headers: Headers = PLAIN) -> ObjectInfo:
        self._gone.discard(key)
        return self._top.put_file(key, path, headers)

    def head(self, key: str) -> ObjectInfo:
        return self._holder(key).head(key)

    def read(self, key: str) -> bytes:
        return self._holder(key).read(key)

    def open(self, key: str, start: int = 0) -> BinaryIO:
        return self._holder(key).open(key, start)

    def fetch(self, key: str, start: int = 0, stop: int | None = None) -> Fetched:
        return self._holder(key).fetch(key, start, stop)

    def localize(self, key: str, scratch: Path) -> Path:
        return self._holder(key).localize(key, scratch)

    def list(self, prefix: str) -> Iterator[Listed]:
        both = {found.key: found for found in self._below.list(prefix) if found.key not in self._gone}
        both |= {found.key: found for found in self._top.list(prefix)}
        yield from (both[key] for key in sorted(both))

    def delete(self, key: str) -> None:
        self._top.delete(key)
        self._gone.add(key)

    def _holder(self, key: str) -> ObjectStore:
        if exists(self._top, key):
            return self._top
        if key in self._gone:
            raise ObjectMissing(key)
        return self._below
