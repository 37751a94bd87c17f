"""Headers of objects whose key does not already imply them: one small file per *version* of an object."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from rushes.storage.durable import make_parents, sync_directory
from rushes.storage.names import implied_headers
from rushes.storage.store import Headers
from rushes.storage.version import version_of


class Sidecars:
    """Files below `root`, spread by the hash of the key. A killed writer may leave one behind; it is never read."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def remember(self, key: str, status: os.stat_result, headers: Headers) -> None:
        """Make the headers durable *before* the version that they belong to can be seen."""
        if headers == implied_headers(key):
            return
        path = self._path(key, status)
        make_parents(path, self._root.parent)
        with path.open("w", encoding="utf-8") as file:
            json.dump([headers.content_type, headers.cache_control], file)
            file.flush()
            os.fsync(file.fileno())
        sync_directory(path.parent)

    def headers(self, key: str, status: os.stat_result) -> Headers:
        try:
            content_type, cache_control = json.loads(self._path(key, status).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return implied_headers(key)
        return Headers(content_type, cache_control)

    def forget(self, key: str, status: os.stat_result) -> None:
        """Only that version's: a newer one may be on its way."""
        with suppress(FileNotFoundError):
            self._path(key, status).unlink()

    def _path(self, key: str, status: os.stat_result) -> Path:
        digest = hashlib.sha256(key.encode()).hexdigest()
        return self._root / digest[:2] / f"{digest[2:34]}-{version_of(status)}"
