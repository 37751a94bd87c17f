"""How the checker gets at a stream: a folder, an object store. HTTP has a module of its own (`http_reach`)."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from rushes.storage.store import ObjectMissing, ObjectStore, OnDisk

BASE = "file:///"
AT_ONCE = 8
"""Requests to a remote store, which answers after 10 to 50 ms, mostly of waiting."""
MOST_TEXT = 32 * 2**20
"""Bytes of one manifest; a longer one is not read."""


class Unreachable(Exception):
    """What an address names could not be had; the text says why."""


class Reach(Protocol):
    at_once: int
    """How many things may be asked for at a time."""

    def read(self, uri: str, start: int = 0, length: int = MOST_TEXT) -> bytes:
        """Up to `length` bytes from `start` on. Raises Unreachable."""
        ...

    def sizes(self, uris: Iterable[str]) -> dict[str, int | None]:
        """Bytes of each; None for what is not there. What cannot be told is left out."""
        ...


def path_of(uri: str) -> str:
    """The path or key in a `file:///` address, or nothing."""
    return unquote(urlsplit(uri).path).lstrip("/") if uri.startswith(BASE) else ""


class FolderReach:
    """Files below one directory. What leads out of it, by links too, is not read."""

    at_once = 1

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def read(self, uri: str, start: int = 0, length: int = MOST_TEXT) -> bytes:
        try:
            with self._path(uri).open("rb") as file:
                file.seek(start)
                return file.read(length)
        except (OSError, ValueError) as error:
            raise Unreachable(str(error)) from error

    def sizes(self, uris: Iterable[str]) -> dict[str, int | None]:
        return {uri: self._size(uri) for uri in uris}

    def _size(self, uri: str) -> int | None:
        try:
            path = self._path(uri)
            return path.stat().st_size if path.is_file() else None
        except (OSError, ValueError, Unreachable):
            return None

    def _path(self, uri: str) -> Path:
        path = Path("/", path_of(uri)).resolve()
        if not path.is_relative_to(self._root):
            raise Unreachable("it lies outside of the directory that is checked")
        return path


class StoreReach:
    """Objects below one prefix. Sizes come from listings: one of each folder."""

    def __init__(self, store: ObjectStore, prefix: str) -> None:
        self.at_once = 1 if isinstance(store, OnDisk) and store.on_disk else AT_ONCE
        self._store = store
        self._prefix = prefix

    def read(self, uri: str, start: int = 0, length: int = MOST_TEXT) -> bytes:
        try:
            fetched = self._store.fetch(self._key(uri), start, start + length)
            with fetched.stream as stream:
                return stream.read(length)
        except (ObjectMissing, ValueError) as error:
            raise Unreachable(str(error)) from error

    def sizes(self, uris: Iterable[str]) -> dict[str, int | None]:
        """Raises StoreError where the store does not answer: that is no fault of the stream."""
        keys = {uri: path_of(uri) for uri in uris}
        found: dict[str, int] = {}
        for folder in sorted({key.rpartition("/")[0] for key in keys.values()}):
            if f"{folder}/".startswith(self._prefix):
                found |= self._listed(folder)
        return {uri: found.get(key) for uri, key in keys.items()}

    def _listed(self, folder: str) -> dict[str, int]:
        """Keys and sizes; none of a folder that no key can be in."""
        with suppress(ValueError):
            return {listed.key: listed.size for listed in self._store.list(f"{folder}/")}
        return {}

    def _key(self, uri: str) -> str:
        key = path_of(uri)
        if not key.startswith(self._prefix):
            raise Unreachable("it lies outside of the asset")
        return key
