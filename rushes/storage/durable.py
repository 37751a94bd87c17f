"""Files that are whole or absent and survive a crash: drafts, directory syncs, errors as sentences."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rushes.storage.store import ObjectMissing, StoreError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR)


@contextmanager
def store_errors(key: str) -> Iterator[None]:
    """Any OSError inside becomes a StoreError with a sentence; a missing file becomes ObjectMissing."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StoreError(f"{key}: the disk that holds the objects is full. Free some space on it.") from error
        if error.errno in _MISSING:
            raise ObjectMissing(f"{key}: there is no such object.") from error
        raise StoreError(f"{key}: the object store answered: {error.strerror or error}.") from error


@dataclass
class Draft:
    """A durable file that waits to be renamed into place; `file` is open for reading."""

    path: Path
    file: BinaryIO
    status: os.stat_result

    @classmethod
    @contextmanager
    def of_bytes(cls, folder: Path, data: bytes) -> Iterator[Draft]:
        with _written(folder, lambda file: file.write(data)) as draft:
            yield draft

    @classmethod
    @contextmanager
    def copying(cls, folder: Path, source: BinaryIO) -> Iterator[Draft]:
        with _written(folder, lambda file: shutil.copyfileobj(source, file, 1 << 20)) as draft:
            yield draft

    @classmethod
    def of_file(cls, path: Path, file: BinaryIO) -> Draft:
        return cls(path, file, _sealed(file))

    @staticmethod
    def sweep(folder: Path, older_than: float) -> int:
        with _written(folder, lambda file: None) as now:
            old = [path for path in folder.iterdir() if _mtime(path) < now.status.st_mtime - older_than]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    def rename(self, target: Path) -> None:
        try:
            self.path.rename(target)
        except OSError as error:
            if error.errno == errno.EXDEV:
                raise StoreError(f"{self.path.name}: it lies on another file system than the objects.") from error
            if error.errno in (errno.EISDIR, errno.ENOTDIR):
                raise under_object() from error
            raise

    def exists(self) -> bool:
        return self.path.exists()


def under_object() -> StoreError:
    """Of a put below a file, or onto a directory."""
    return StoreError("One key cannot lie below another object's key.")


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file of the caller's. A link is refused: a tool that was fooled may have made it point anywhere."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise StoreError(f"{path.name}: the file to store cannot be opened: {error.strerror}.") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise StoreError(f"{path.name}: only a regular file can be stored.")
    with os.fdopen(descriptor, "rb") as file:
        yield file


@contextmanager
def _written(folder: Path, write: Callable[[BinaryIO], object]) -> Iterator[Draft]:
    path = folder / secrets.token_hex(12)
    try:
        with path.open("x+b") as file:
            write(file)
            file.flush()
            file.seek(0)
            yield Draft(path, file, _sealed(file))
    finally:
        path.unlink(missing_ok=True)


def _sealed(file: BinaryIO) -> os.stat_result:
    """Make the bytes durable and the file's time unlike that of any other version.

    The kernel's clock for files ticks every few milliseconds and inodes are used again at once, so two versions of
    equal size could otherwise look the same. The sub-millisecond part of the time is made random.
    """
    mark(file.fileno())
    os.fsync(file.fileno())
    return os.fstat(file.fileno())


def mark(descriptor: int) -> None:
    """Give a file the time that tells its version from any other."""
    status = os.fstat(descriptor)
    unique = status.st_mtime_ns // 1_000_000 * 1_000_000 + secrets.randbelow(1_000_000)
    os.utime(descriptor, ns=(status.st_atime_ns, unique))


def _mtime(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except FileNotFoundError:
        return float("inf")


def make_parents(path: Path, root: Path) -> None:
    """Directories down to `path`, each made durable by whoever makes it. Journalling file systems keep the order."""
    missing = [parent for parent in path.parents if parent.is_relative_to(root) and not parent.is_dir()]
    for directory in reversed(missing):
        try:
            directory.mkdir()
            sync_directory(directory.parent)
        except FileExistsError as error:  # made beside us; if it was pruned again, the caller's rename notices
            if directory.is_file():
                raise under_object() from error
        except FileNotFoundError:
            return  # pruned beside us: the same


def prune(directory: Path, root: Path) -> None:
    """Remove empty directories upwards, never `root`. One that gets a file meanwhile stays: rmdir(2) refuses it."""
    while directory != root and directory.is_relative_to(root):
        try:
            directory.rmdir()
        except FileNotFoundError:
            pass  # a delete beside us was faster
        except OSError:
            return
        directory = directory.parent


def sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
