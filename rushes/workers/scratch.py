"""Each worker's own place for files of running steps. Several workers may share one disk."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_LOCK = ".lock"


class Own:
    """A directory `root/worker`, and the lock that says to other workers of the host that somebody lives there."""

    def __init__(self, root: Path, worker: str) -> None:
        self.path = root / worker
        self._root, self._lock, self._handle = root, root / f"{worker}{_LOCK}", -1

    @contextmanager
    def held(self) -> Iterator[Path]:
        """It is empty, held by a lock that ends with this process however it ends, and removed after.

        What workers that died left below `root` is removed first: a killed encode may leave gigabytes.
        """
        self._take()
        try:
            yield self.path
        finally:
            shutil.rmtree(self.path, ignore_errors=True)
            self._lock.unlink(missing_ok=True)
            os.close(self._handle)

    def _take(self) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        _sweep(self._root)
        self._handle = _hold(self._lock)
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir()

    def renew(self) -> None:
        """Where somebody has removed it with its lock, make both again: else the next worker that starts would sweep it away, under
        the steps that run. Raises OSError."""
        if not _is_lock(self._handle, self._lock):
            self._root.mkdir(parents=True, exist_ok=True)
            before, self._handle = self._handle, _hold(self._lock)
            os.close(before)
        self.path.mkdir(exist_ok=True)


def nearest(path: Path) -> Path:
    """The path, or the nearest directory above it that exists."""
    path = path.absolute()
    return next(parent for parent in (path, *path.parents) if parent.exists())


def _hold(lock: Path) -> int:
    """Take a lock file. One that a sweep has removed meanwhile is no lock any more: then another one is made."""
    while True:
        handle = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_lock(handle, lock):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _is_lock(handle: int, lock: Path) -> bool:
    """Whether the file that is open is the one of this name."""
    try:
        return os.fstat(handle).st_ino == lock.stat().st_ino
    except FileNotFoundError:
        return False


def _sweep(root: Path) -> None:
    for path in list(root.iterdir()):
        if path.suffix != _LOCK:
            _remove_unheld(path, root / f"{path.name}{_LOCK}")
        elif not path.with_suffix("").exists():
            _remove_unheld(path.with_suffix(""), path)


def _remove_unheld(path: Path, held: Path) -> None:
    """Only with the lock in hand: between another worker's lock and its directory there is a moment."""
    handle = os.open(held, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        with suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
            held.unlink(missing_ok=True)
    finally:
        os.close(handle)
