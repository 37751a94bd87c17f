"""Objects as plain files below one directory, so that a web server can serve the same tree.

A put writes a file elsewhere on the same file system, makes it durable and renames it into place (rename(2) is atomic).
Headers that differ from what the key implies (`names.implied_headers`) lie in a file of their own, named after the
*version* of the object (size, time, inode: known before the rename). So the rename switches bytes and headers at once.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from rushes.storage.bulk import BulkPuts
from rushes.storage.durable import Draft, make_parents, opened, prune, store_errors, sync_directory
from rushes.storage.names import RESERVED, check_key, check_prefix
from rushes.storage.sidecar import Sidecars
from rushes.storage.store import Fetched, Headers, Listed, ObjectExists, ObjectInfo, ObjectMissing, StoreError
from rushes.storage.version import etag_of, version_of

LOCKS = 64
"""Lock files that keys are spread over."""
PLAIN = Headers()


class LocalStore:
    """ObjectStore, ConditionalPut, Adopt, BulkPut, OnDisk and ServerCopy on a directory; safe between threads and processes of
    one machine.

    A key cannot lie below another object's key (a file is not a directory): such a put is a StoreError.
    """

    conditional = True
    on_disk = True

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        own = self.root / RESERVED
        self._tmp, self._locks = own / "tmp", own / "locks"
        self._sidecars = Sidecars(own / "headers")
        self._bulk = BulkPuts(self.root, self._tmp)
        with store_errors(str(root)):
            for directory in (self._tmp, self._locks):
                directory.mkdir(parents=True, exist_ok=True)

    def put_bytes(self, key: str, data: bytes, headers: Headers = PLAIN) -> ObjectInfo:
        check_key(key)
        with store_errors(key), Draft.of_bytes(self._tmp, data) as draft, self._lock(key):
            return self._commit(key, draft, headers)

    def put_new(self, objects: Sequence[tuple[str, bytes]]) -> list[StoreError | None]:
        for key, _ in objects:
            check_key(key)
        return self._bulk.put(objects)

    def put_if(self, key: str, data: bytes, headers: Headers, *, etag: str | None) -> ObjectInfo:
        check_key(key)
        with store_errors(key), Draft.of_bytes(self._tmp, data) as draft, self._lock(key):
            if self._etag(key) != etag:
                raise ObjectExists(f"{key}: the object is not the expected one.")
            return self._commit(key, draft, headers)

    def put_file(self, key: str, path: Path, headers: Headers = PLAIN) -> ObjectInfo:
        check_key(key)
        with store_errors(key), self._taken_or_copied(path) as draft, self._lock(key):
            return self._commit(key, draft, headers)

    def adopt(self, key: str, path: Path, headers: Headers = PLAIN) -> ObjectInfo:
        check_key(key)
        with store_errors(key), opened(path) as file, self._lock(key):
            return self._commit(key, Draft.of_file(path, file), headers)

    def copy(self, source: str, key: str, headers: Headers = PLAIN) -> ObjectInfo:
        check_key(key)
        with self.open(source) as stream, store_errors(key), Draft.copying(self._tmp, stream) as draft, self._lock(key):
            return self._commit(key, draft, headers)

    def head(self, key: str) -> ObjectInfo:
        path = self._path(key)
        with store_errors(key):
            while True:
                if (info := self._settled(key, path, _status(path))) is not None:
                    return info

    def read(self, key: str) -> bytes:
        with self.open(key) as stream, store_errors(key):
            return stream.read()

    def open(self, key: str, start: int = 0) -> BinaryIO:
        if start < 0:
            raise ValueError("start must not be negative.")
        with store_errors(key):
            stream = self._path(key).open("rb")
            stream.seek(start)
            return stream

    def fetch(self, key: str, start: int = 0, stop: int | None = None) -> Fetched:
        while True:
            stream = self.open(key, start)
            with ExitStack() as stack, store_errors(key):
                stack.callback(stream.close)
                info = self._settled(key, self._path(key), os.fstat(stream.fileno()))
                if info is not None:
                    stack.pop_all()
                    return Fetched(info, stream)

    def list(self, prefix: str) -> Iterator[Listed]:
        check_prefix(prefix)
        folder, _, _ = prefix.rpartition("/")
        for key in self._keys(f"{folder}/" if folder else "", prefix):
            with suppress(ObjectMissing), store_errors(key):  # deleted while we listed
                status = _status(self.root / key)
                yield Listed(key, status.st_size, status.st_mtime)

    def delete(self, key: str) -> None:
        path = self._path(key)
        with store_errors(key), self._lock(key), suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode):
                return
            path.unlink()
            self._sidecars.forget(key, status)
            with suppress(FileNotFoundError):  # another delete may have pruned the directory
                sync_directory(path.parent)
            prune(path.parent, self.root)

    def localize(self, key: str, scratch: Path) -> Path:
        """The object's own file: for reading only. Nothing is written to `scratch`."""
        path = self._path(key)
        with store_errors(key):
            _status(path)
        return path

    def sweep(self, older_than: float = 86_400.0) -> int:
        """Remove what killed writers left behind, by the file system's own clock. Gives the number of files."""
        with store_errors("sweep"):
            return Draft.sweep(self._tmp, older_than)

    def _path(self, key: str) -> Path:
        return self.root / check_key(key)

    @contextmanager
    def _lock(self, key: str) -> Iterator[None]:
        """One mutation of a key at a time, between processes and (each call opens the file anew) between threads."""
        with (self._locks / f"{zlib.crc32(key.encode()) % LOCKS:02d}").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _commit(self, key: str, draft: Draft, headers: Headers) -> ObjectInfo:
        """The caller holds the key's lock. After this returns, the object survives a crash of the machine."""
        path = self._path(key)
        before = path.lstat() if path.exists() else None
        self._sidecars.remember(key, draft.status, headers)
        self._place(draft, path)
        if before is not None:
            self._sidecars.forget(key, before)
        info = self._info(key, path, draft.status)
        if info is None:
            raise ObjectMissing(f"{key}: it vanished while it was being stored.")
        return info

    def _place(self, draft: Draft, path: Path) -> None:
        while True:
            make_parents(path, self.root)
            try:
                draft.rename(path)
                return sync_directory(path.parent)
            except FileNotFoundError:  # a delete beside us pruned the directory that we had just made sure of
                if not draft.exists():
                    raise

    @contextmanager
    def _taken_or_copied(self, path: Path) -> Iterator[Draft]:
        with opened(path) as file:
            status = os.fstat(file.fileno())
            # A second name elsewhere could change the bytes later, so such a file is copied.
            mine = status.st_nlink == 1 and status.st_uid == os.geteuid()
            if mine and status.st_dev == self._tmp.stat().st_dev:
                yield Draft.of_file(path, file)
                return
            with Draft.copying(self._tmp, file) as copy:
                yield copy

    def _etag(self, key: str) -> str | None:
        try:
            return self.head(key).etag
        except ObjectMissing:
            return None

    def _settled(self, key: str, path: Path, status: os.stat_result) -> ObjectInfo | None:
        """None where the object was replaced meanwhile: it could show another version's headers."""
        info = self._info(key, path, status)
        return info if version_of(status) == version_of(_status(path)) else None

    def _info(self, key: str, path: Path, status: os.stat_result) -> ObjectInfo | None:
        """None where the file is no longer the one of `status`."""
        etag = etag_of(path, status)
        headers = self._sidecars.headers(key, status)
        if etag is None:
            return None
        return ObjectInfo(key, status.st_size, etag, headers.content_type, headers.cache_control, status.st_mtime)

    def _keys(self, folder: str, prefix: str) -> Iterator[str]:
        """Keys below `folder` (empty or ending in `/`) that begin with `prefix`, in the order of the whole key."""
        try:
            with os.scandir(self.root / folder) as entries:
                names = [entry.name + "/" * entry.is_dir(follow_symlinks=False) for entry in entries]
        except (FileNotFoundError, NotADirectoryError):
            return
        for name in sorted(names):  # with its slash, a directory sorts where its keys belong
            key = folder + name
            if key == f"{RESERVED}/" or not (key.startswith(prefix) or prefix.startswith(key)):
                continue
            if name.endswith("/"):
                yield from self._keys(key, prefix)
            else:
                yield key


def _status(path: Path) -> os.stat_result:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    return status
