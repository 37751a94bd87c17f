"""The reconciler's rounds in a process that does no steps: with no worker there at all, what is lost is still taken back, and
the numbers of the fleet are still counted."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.reconciling import EVERY
from rushes.catalog.repairs import told
from rushes.clock import Clock

log = logging.getLogger("rushes.reconciler")
LookAfter = Callable[[str], dict[str, int]]
"""`Pipeline.look_after`."""


async def keep_looking_after(open_it: Callable[[], LookAfter], clock: Clock, every: float = EVERY) -> None:
    """For ever, every few seconds. `open_it` is called beside everything else, for it asks for the version of the tools."""
    holder = f"{socket.gethostname()}-{os.getpid()}"
    look_after = await asyncio.to_thread(open_it)
    # A process that starts after a time without a database is not the first to judge, nor one that slept.
    last = clock.now() - 3 * every
    while True:
        now = clock.now()
        slept, last = now - last > 2 * every, now
        try:
            repaired = {} if slept else await asyncio.to_thread(look_after, holder)
        except DatabaseUnavailable as error:
            log.warning("nothing can be put right now: %s", error)
            repaired, last = {}, clock.now() - 3 * every  # workers get a round to speak once it is back
        except Exception:  # the next round may succeed
            log.exception("a round of repairs broke")
            repaired = {}
        if repaired:
            log.log(*told(repaired))
        await asyncio.sleep(every)


def lifespan_of(
    open_it: Callable[[], LookAfter], clock: Clock
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(keep_looking_after(open_it, clock))
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    return lifespan
