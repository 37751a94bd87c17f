"""The room that running steps take of a worker: bytes of its scratch disk, and now and then all of it."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from rushes.engine.job import Job
from rushes.workers.scratch import nearest

log = logging.getLogger("rushes.worker")


class Room:
    """`reserve`: bytes that stay free on the disk of `scratch`. `need` gives the bytes that a job takes there."""

    def __init__(self, scratch: Path, reserve: int, need: Callable[[Job], int]) -> None:
        self._scratch = scratch
        self._reserve = reserve
        self._need = need
        self._taken: dict[str, int] = {}
        self._roomy = True
        self._alone = asyncio.Lock()
        self._emptier = asyncio.Event()

    @property
    def free(self) -> int:
        """Bytes on the disk, whatever is promised to whom. The folder may be gone: somebody tidied up, and steps make it anew."""
        return shutil.disk_usage(nearest(self._scratch)).free

    @property
    def is_open(self) -> bool:
        """Whether anything may be claimed. A host whose disk is full would fail one step after another, faster than the others
        can do them; and beside a step that has to be alone nothing begins."""
        had, self._roomy = self._roomy, self.free >= self._reserve
        if had and not self._roomy:
            log.error("the scratch disk is full: nothing is claimed until %d bytes are free on it", self._reserve)
        if self._roomy and not had:
            log.info("there is room on the scratch disk again")
        return self._roomy and not self._alone.locked()

    def need(self, job: Job) -> int:
        """Bytes."""
        return self._need(job)

    def has(self, size: int) -> bool:
        """Beside what runs. The only step always fits: the reckoning may be wrong, and to be refused everywhere would be worse
        than to fail once."""
        return not self._taken or size <= self.free - self._reserve - sum(self._taken.values())

    @asynccontextmanager
    async def taken(self, job: Job) -> AsyncIterator[None]:
        """While the step runs. One that has to be alone waits here until nothing runs beside it."""
        if job.needs.alone:
            async with self._alone:
                await self._until_empty()
                async with self._held(job):
                    yield
        else:
            async with self._held(job):
                yield

    @asynccontextmanager
    async def _held(self, job: Job) -> AsyncIterator[None]:
        self._taken[job.step_id] = self._need(job)
        try:
            yield
        finally:
            self._taken.pop(job.step_id, None)
            self._emptier.set()

    async def _until_empty(self) -> None:
        while self._taken:
            self._emptier.clear()
            await self._emptier.wait()
