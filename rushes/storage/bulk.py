"""Several small new objects at once, as files: each step for all of them before the next one.

So a directory that they share is made durable once, and they wait for the disk side by side: eight files one after the other
took 3 ms each, in four threads 0.4 ms each, at the same cost. Nothing is locked: the keys are new, and nobody else puts or
deletes them.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rushes.storage.durable import make_parents, mark, store_errors, sync_directory, under_object
from rushes.storage.store import StoreError

LANES = 4
"""Threads that wait for the disk, the caller's among them."""


@dataclass
class _New:
    key: str
    data: bytes
    draft: Path
    target: Path
    descriptor: int = -1
    error: StoreError | None = None

    def attempt(self, step: Callable[[_New], None]) -> None:
        """A step, if all went well so far."""
        if self.error is None:
            try:
                with store_errors(self.key):
                    step(self)
            except StoreError as error:
                self.error = error

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
        if self.error is not None:
            self.draft.unlink(missing_ok=True)


class BulkPuts:
    """Into `root`, by way of the folder `drafts` of the same file system."""

    def __init__(self, root: Path, drafts: Path) -> None:
        self._root, self._drafts = root, drafts

    def put(self, objects: Sequence[tuple[str, bytes]]) -> list[StoreError | None]:
        """What went wrong with each. Those that went well are whole, and survive a crash of the machine from now on."""
        name = secrets.token_hex(12)
        news = [
            _New(key, data, self._drafts / f"{name}{number}", self._root / key)
            for number, (key, data) in enumerate(objects)
        ]
        others = [self._threads.submit(self._settle, news[number::LANES]) for number in range(1, min(LANES, len(news)))]
        self._settle(news[::LANES])
        for other in others:
            other.result()
        for directory in {new.target.parent.parent for new in news}:
            self._keep(directory, [new for new in news if new.target.parent.parent == directory])
        return [new.error for new in news]

    def _settle(self, news: Sequence[_New]) -> None:
        """All but the directory above their own, which they share with others."""
        for step in (_write, _flush, self._place, lambda new: sync_directory(new.target.parent)):
            for new in news:
                new.attempt(step)
        for new in news:
            new.close()

    def _place(self, new: _New) -> None:
        while True:
            try:
                new.target.parent.mkdir()
            except FileExistsError:
                pass
            except FileNotFoundError:
                make_parents(new.target, self._root)
            try:
                new.draft.rename(new.target)
                return
            except (NotADirectoryError, IsADirectoryError) as error:
                raise under_object() from error
            except FileNotFoundError:  # a delete beside us pruned the directory that we had just made sure of
                if not new.draft.exists():
                    raise

    def _keep(self, directory: Path, news: Sequence[_New]) -> None:
        try:
            with store_errors(directory.name):
                sync_directory(directory)
        except StoreError as error:
            for new in news:
                new.error = new.error or error

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(LANES - 1, "put")


def _write(new: _New) -> None:
    new.descriptor = os.open(new.draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    left = memoryview(new.data)
    while left:
        left = left[os.write(new.descriptor, left) :]
    mark(new.descriptor)


def _flush(new: _New) -> None:
    os.fsync(new.descriptor)
