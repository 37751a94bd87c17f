"""Each worker's own place for files of running steps. Several workers may share one disk."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_LOCK = ".lock"


@contextmanager
def own_scratch(root: Path, worker: str) -> Iterator[Path]:
    """An empty directory `root/worker`, held by a lock that ends with this process however it ends, and removed after.

    What workers that died left below `root` is removed first: a killed encode may leave gigabytes.
    """
    root.mkdir(parents=True, exist_ok=True)
    _sweep(root)
    held, path = root / f"{worker}{_LOCK}", root / worker
    handle = _hold(held)
    try:
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        held.unlink(missing_ok=True)
        os.close(handle)


def _hold(lock: Path) -> int:
    """Take a lock file. One that a sweep has removed meanwhile is no lock any more: then another one is made."""
    while True:
        handle = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(handle).st_ino == lock.stat().st_ino:
                return handle
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


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
