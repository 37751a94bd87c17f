"""Objects in memory: for tests, ours and those of people who build on us."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from rushes.clock import Clock, SystemClock
from rushes.storage.names import check_key, check_prefix, local_name
from rushes.storage.store import Fetched, Headers, Listed, ObjectExists, ObjectInfo, ObjectMissing, StoreError

PLAIN = Headers()


class MemoryStore:
    """ObjectStore, ConditionalPut and ServerCopy in a dict; has the limits of LocalStore, so that tests meet them too."""

    conditional = True

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._objects: dict[str, tuple[ObjectInfo, bytes]] = {}
        self._lock = threading.Lock()

    def put_bytes(self, key: str, data: bytes, headers: Headers = PLAIN) -> ObjectInfo:
        check_key(key)
        with self._lock:
            return self._put(key, data, headers)

    def put_if(self, key: str, data: bytes, headers: Headers, *, etag: str | None) -> ObjectInfo:
        check_key(key)
        with self._lock:
            found = self._objects.get(key)
            if (found[0].etag if found else None) != etag:
                raise ObjectExists(f"{key}: the object is not the expected one.")
            return self._put(key, data, headers)

    def put_file(self, key: str, path: Path, headers: Headers = PLAIN) -> ObjectInfo:
        if path.is_symlink() or not path.is_file():
            raise StoreError(f"{path.name}: only a regular file can be stored.")
        return self.put_bytes(key, path.read_bytes(), headers)

    def head(self, key: str) -> ObjectInfo:
        return self._get(key)[0]

    def read(self, key: str) -> bytes:
        return self._get(key)[1]

    def open(self, key: str, start: int = 0) -> BinaryIO:
        return self.fetch(key, start).stream

    def fetch(self, key: str, start: int = 0, stop: int | None = None) -> Fetched:
        if start < 0:
            raise ValueError("start must not be negative.")
        info, data = self._get(key)
        return Fetched(info, io.BytesIO(data[start:stop]))

    def copy(self, source: str, key: str, headers: Headers = PLAIN) -> ObjectInfo:
        return self.put_bytes(key, self.read(source), headers)

    def list(self, prefix: str) -> Iterator[Listed]:
        check_prefix(prefix)
        with self._lock:
            found = [info for key, (info, _) in sorted(self._objects.items()) if key.startswith(prefix)]
        yield from (Listed(info.key, info.size, info.modified) for info in found)

    def delete(self, key: str) -> None:
        check_key(key)
        with self._lock:
            self._objects.pop(key, None)

    def localize(self, key: str, scratch: Path) -> Path:
        data = self.read(key)
        path = scratch / local_name(key)
        path.write_bytes(data)
        return path

    def _get(self, key: str) -> tuple[ObjectInfo, bytes]:
        check_key(key)
        with self._lock:
            found = self._objects.get(key)
        if found is None:
            raise ObjectMissing(f"{key}: there is no such object.")
        return found

    def _put(self, key: str, data: bytes, headers: Headers) -> ObjectInfo:
        above = {str(parent) for parent in PurePosixPath(key).parents}
        if above & self._objects.keys() or any(other.startswith(f"{key}/") for other in self._objects):
            raise StoreError("One key cannot lie below another object's key.")
        etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
        info = ObjectInfo(key, len(data), etag, headers.content_type, headers.cache_control, self._clock.now())
        self._objects[key] = (info, bytes(data))
        return info
