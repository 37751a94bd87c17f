"""Uploads as files: one append-only file per upload, whose size is the offset unless a note says less."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from rushes.ingest.local_append import LocalAppender, ProofNote, Sync, sync_directory
from rushes.ingest.local_join import write_joined
from rushes.ingest.store import Stored, StoreFull, UploadBusy, UploadMissing
from rushes.keys import is_id
from rushes.storage.store import Adopt, ObjectMissing, ObjectStore

_NOTE, _DRAFT = ".proven", ".joining"
"""Endings of what lies beside an upload's file."""


class LocalUploadStore:
    """`reserve`: bytes of the disk that uploads never take, so that the database beside them can still write."""

    def __init__(self, root: Path, *, sync: Sync = "commit", reserve: int = 0) -> None:
        self._root = root
        self._sync = sync
        self._reserve = reserve
        self._safe: dict[str, Stored] = {}
        """What is known to be on the disk: asking for it again costs a flush of the whole device each time."""
        root.mkdir(parents=True, exist_ok=True)

    def create(self, upload: str, key: str, length: int | None) -> None:
        os.close(os.open(self._path(upload), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        if self._sync == "commit":
            sync_directory(self._root)

    def declare(self, upload: str, length: int, fence: int = 0) -> None:
        os.close(self._open(upload, os.O_RDONLY))

    def join(self, upload: str, parts: Sequence[str]) -> int:
        path = self._path(upload)
        with ExitStack() as stack:
            opened: dict[str, tuple[int, int]] = {}
            for part in dict.fromkeys(parts):
                descriptor = self._open(part, os.O_RDONLY)
                stack.callback(os.close, descriptor)
                opened[part] = (descriptor, self.stat(part).size)
            sources = [opened[part] for part in parts]
            if sum(size for _, size in sources) > self._room():
                raise StoreFull
            return self._replace(path, sources)

    def stat(self, upload: str) -> Stored:
        found = self._look(upload, flush=False)
        if self._sync == "never" or self._safe.get(upload) == found:
            return found
        # Bytes left by a killed process may still be in the page cache alone.
        self._safe[upload] = self._look(upload, flush=True)
        return self._safe[upload]

    def append(self, upload: str, fence: int = 0, *, unproven: bool = False) -> LocalAppender:
        self._safe.pop(upload, None)
        descriptor = self._open(upload, os.O_RDWR)
        try:
            # The kernel lets go of this lock when its process ends, however it ends.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return LocalAppender(descriptor, self._sync, self._room, self._note(upload), unproven=unproven)
        except BaseException as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                raise UploadBusy(upload) from error
            raise

    def hand_over(self, upload: str, objects: ObjectStore, key: str) -> None:
        path = self._path(upload)
        if path.exists():
            self._cut(path, self._note(upload).read())
            (objects.adopt if isinstance(objects, Adopt) else objects.put_file)(key, path)
            return
        try:
            objects.head(key)
        except ObjectMissing as error:
            raise UploadMissing(upload) from error

    def remove(self, upload: str) -> None:
        self._safe.pop(upload, None)
        with suppress(FileNotFoundError):
            self._path(upload).unlink()
        with suppress(FileNotFoundError):
            self._beside(upload, _NOTE).unlink()

    def list(self) -> Iterator[tuple[str, Stored]]:
        for entry in sorted(self._root.iterdir()):
            if is_id(entry.name):
                with suppress(UploadMissing):  # removed while we listed
                    yield entry.name, self._look(entry.name, flush=False)  # nobody tells a client of these

    def sweep(self, before: float) -> int:
        """Drafts of killed joins, and notes whose upload is gone."""
        removed = 0
        for entry in self._root.iterdir():
            with suppress(FileNotFoundError):
                left = entry.suffix == _DRAFT or (entry.suffix == _NOTE and not entry.with_suffix("").exists())
                if left and entry.stat().st_mtime < before:
                    entry.unlink()
                    removed += 1
        return removed

    def free(self) -> int:
        return shutil.disk_usage(self._root).free

    def _room(self) -> int:
        return self.free() - self._reserve

    def _look(self, upload: str, *, flush: bool) -> Stored:
        descriptor = self._open(upload, os.O_RDONLY)
        try:
            note = self._note(upload)
            before, found, after = note.read(), os.fstat(descriptor), note.read()
            if flush:  # what comes while it lasts may not be on the disk: it is not told of
                os.fdatasync(descriptor)
            counted = [size for size in (before, found.st_size, after) if size is not None]
            return Stored(size=min(counted), modified=found.st_mtime)
        finally:
            os.close(descriptor)

    def _cut(self, path: Path, proven: int | None) -> None:
        """Bytes that somebody was killed before proving are no part of the file."""
        if proven is not None and proven < path.stat().st_size:
            os.truncate(path, proven)

    def _replace(self, path: Path, sources: Sequence[tuple[int, int]]) -> int:
        """Written aside and renamed, so that a kill leaves the old file or the new one."""
        draft = path.with_name(f"{path.name}-{secrets.token_hex(4)}{_DRAFT}")
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                total = write_joined(descriptor, sources)
                if self._sync == "commit":
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
            draft.rename(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        if self._sync == "commit":
            sync_directory(self._root)
        return total

    def _note(self, upload: str) -> ProofNote:
        return ProofNote(self._beside(upload, _NOTE), self._sync)

    def _beside(self, upload: str, ending: str) -> Path:
        return self._root / f"{upload}{ending}"

    def _path(self, upload: str) -> Path:
        if not is_id(upload):
            raise UploadMissing(upload)
        return self._root / upload

    def _open(self, upload: str, flags: int) -> int:
        try:
            return os.open(self._path(upload), flags | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise UploadMissing(upload) from error
