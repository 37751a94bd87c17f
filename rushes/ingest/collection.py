"""Where an import takes its files from: a prefix of a bucket, or a directory."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from rushes.settings import SettingsError
from rushes.storage.bucket import Bucket
from rushes.storage.remote import RemoteStream
from rushes.storage.store import ObjectMissing

BUFFER = 2**20


class Replaced(Exception):
    """The file is another one than was listed."""


@dataclass(frozen=True)
class Found:
    """A file as it was listed. `version` changes with its bytes."""

    path: str
    """Relative to the collection."""
    size: int
    version: str


class Collection(Protocol):
    """Methods block. Raise StoreError or OSError where the files cannot be reached."""

    def list(self) -> Iterator[Found]:
        """All files below, in the order of their paths."""
        ...

    def find(self, path: str) -> Found | None: ...

    def identity(self, found: Found) -> str:
        """The same for the same bytes of the same file, by whichever address they are reached."""
        ...

    def open(self, found: Found, start: int) -> BinaryIO:
        """The bytes from `start`; the caller closes it. Raises Replaced."""
        ...

    def check(self, found: Found) -> None:
        """After reading to the end: raises Replaced where that were not all bytes of one version."""
        ...


class BucketCollection:
    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket

    def list(self) -> Iterator[Found]:
        for each in self.bucket.list(""):
            if not each["Key"].endswith("/"):  # what consoles make for a folder
                yield Found(each["Key"], each["Size"], each["ETag"])

    def find(self, path: str) -> Found | None:
        try:
            found = self.bucket.head(path)
        except ObjectMissing:
            return None
        return Found(path, found["ContentLength"], found["ETag"])

    def identity(self, found: Found) -> str:
        service = self.bucket.options.get("endpoint_url", "").rstrip("/")
        return f"s3 {service} {self.bucket.name} {self.bucket.prefix}{found.path} {found.version}"

    def open(self, found: Found, start: int) -> BinaryIO:
        raw = RemoteStream(self.bucket, found.path, found.version, start, found.size)
        return io.BufferedReader(raw, BUFFER)

    def check(self, found: Found) -> None:
        """The stream asks for one version only."""


class FolderCollection:
    """Symbolic links are not followed, and hidden files not seen."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def list(self) -> Iterator[Found]:
        for folder, names, files in os.walk(self._root):
            names[:] = sorted(name for name in names if not name.startswith("."))
            for name in sorted(files):
                path = Path(folder, name)
                if not name.startswith(".") and not path.is_symlink() and path.is_file():
                    with suppress(FileNotFoundError):
                        yield self._found(path)

    def find(self, path: str) -> Found | None:
        full = (self._root / path).resolve()
        if not full.is_relative_to(self._root) or not full.is_file():
            return None
        return self._found(full)

    def identity(self, found: Found) -> str:
        return f"file {self._root / found.path} {found.version}"

    def open(self, found: Found, start: int) -> BinaryIO:
        file = (self._root / found.path).open("rb")
        file.seek(start)
        return file

    def check(self, found: Found) -> None:
        if self.find(found.path) != found:
            raise Replaced(found.path)

    def _found(self, path: Path) -> Found:
        stat = path.stat()
        return Found(path.relative_to(self._root).as_posix(), stat.st_size, f"{stat.st_mtime_ns}-{stat.st_size}")


def open_collection(address: str) -> Collection:
    """`s3://bucket/prefix?endpoint_url=...`, `file:///path`, or a path. Raises SettingsError."""
    if address.startswith("s3://"):
        try:
            return BucketCollection(Bucket.parse(address))
        except SettingsError as error:
            raise SettingsError(
                "A bucket looks like s3://bucket/prefix?endpoint_url=https://s3.example.com&region=eu-1; keys belong into "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
            ) from error
    folder = Path(address.removeprefix("file://"))
    if not folder.is_dir():
        raise SettingsError(f"There is no directory {folder}. A bucket begins with s3://.")
    return FolderCollection(folder)
