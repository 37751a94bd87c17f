"""The ends of uploads that are joined from others: each is put together once, as soon as its last part is there.

A kill leaves it undone; HEAD and recovery do it then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.records import Upload
from rushes.errors import RushesError
from rushes.ingest.hold import Locked
from rushes.ingest.joining import can_be_joined, join
from rushes.ingest.services import Services
from rushes.ingest.store import UploadBusy
from rushes.storage.store import StoreError

log = logging.getLogger(__name__)

JOIN_PATIENCE = 3.0
"""Seconds that an answer waits for an upload to be put together; then it goes on behind the answer."""

JOIN_TRIES, JOIN_PAUSE = 20, 0.25
"""How often, and after how many seconds, it is tried again while another process has it."""


class Joins:
    """Of one process. Belongs to its event loop."""

    def __init__(self, services: Services, over: Callable[[Upload], None]) -> None:
        """`over` hears of each that was put together."""
        self._services, self._over = services, over
        self._joining: dict[str, asyncio.Task[Upload | None]] = {}
        self._woken: set[str] = set()
        """Of those: what they have read of their parts may be older than the last part's end."""

    def wake(self, joined: Sequence[Upload]) -> None:
        """A part of these has ended: they may be complete by it, or hopeless. Their ends come behind the answer."""
        for upload in joined:
            self._start(upload.id)

    async def soon(self, upload: Upload) -> Upload:
        """The upload after it was put together, or as it was where that takes longer, or is not possible yet."""
        task = self._start(upload.id)
        await asyncio.wait({task}, timeout=JOIN_PATIENCE)
        return (task.result() if task.done() else None) or upload

    def _start(self, upload_id: str) -> asyncio.Task[Upload | None]:
        """One at a time for an upload. What a kill leaves undone, HEAD and recovery do."""
        task = self._joining.get(upload_id)
        if task is not None:
            self._woken.add(upload_id)
            return task
        task = self._joining[upload_id] = asyncio.create_task(self._join_while_woken(upload_id))
        return task

    async def _join_while_woken(self, upload_id: str) -> Upload | None:
        """Another process that is joining it may have read what is old, too: so it is asked again when that lets go."""
        try:
            for _ in range(JOIN_TRIES):
                self._woken.discard(upload_id)
                try:
                    upload = await self._join(upload_id)
                except Locked:
                    await asyncio.sleep(JOIN_PAUSE)
                    continue
                if upload_id not in self._woken:
                    return upload
            return None
        finally:
            del self._joining[upload_id]
            self._woken.discard(upload_id)

    async def _join(self, upload_id: str) -> Upload | None:
        """None where it is not possible now. Raises Locked."""
        try:
            async with self._services.holds.claim(upload_id):
                copies = await self._services.ask(can_be_joined, self._services, upload_id)
                upload = await (self._services.work_through if copies else self._services.call)(
                    join, self._services, upload_id
                )
            self._over(upload)
            return upload
        except Locked:
            raise
        except (StoreError, DatabaseUnavailable, UploadBusy, RushesError, OSError, EOFError) as error:
            log.warning("upload %s cannot be put together yet: %s", upload_id, error)
            return None
