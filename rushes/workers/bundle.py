"""A step done again from its bundle, in a child like any other, so that what kills it kills nothing else. Nothing of it reaches
the object store, the catalog or a cache: what it writes goes into a directory of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from rushes.engine.job import Job, ToolSettings
from rushes.errors import REASONS, Blame, Refused
from rushes.noun import Reason
from rushes.states import StepKind
from rushes.storage.local import LocalStore
from rushes.storage.overlay import overlay_url
from rushes.workers.children import Child, passed_on
from rushes.workers.order import Done, Failed, Order

START = 60.0
"""Seconds a child may take to do its imports."""
GRACE = 120.0
"""Seconds it may take beyond the tool's own wall limit."""
OUTSIDE = frozenset({StepKind.PULL, StepKind.CLEANUP})
"""Kinds that act on more than the object store."""


def order_of(job: Job, place: Path, storage: str, tools: ToolSettings, source: Path | None = None) -> Order:
    """What the child is told. `place`: an empty directory; `storage`: address of the store that is only read; `source`: a file
    to take in place of the original. Raises Refused `not_replayable`."""
    if job.kind in OUTSIDE:
        raise Refused(
            "not_replayable", f"A step of kind {job.kind} acts on more than files, so it is not done again here."
        )
    top = place / "objects"
    if source is not None:
        copy = shutil.copy(source, place / "source")  # the store takes the file it is given
        LocalStore(top).put_file(job.source.key, Path(copy))
    else:
        top.mkdir(parents=True, exist_ok=True)
    outside = {"purge": None, "pull": None}
    return Order(
        job=job.model_copy(update={"twin": None}), scratch=place / "scratch", storage=overlay_url(top, storage),
        tools=tools.model_copy(update=outside),
    )  # fmt: skip


async def replay(order: Order, storage: str, environment: Mapping[str, str] = os.environ) -> Done | Failed:
    """How it ended this time. In the main thread: a child dies with the thread that made it. Raises NoChild."""
    child = await Child.start(passed_on(environment, storage), START)
    try:
        async with asyncio.timeout(order.tools.limits.wall + GRACE):
            await child.give(order)
            while (message := await child.hear()) is not None:
                if isinstance(message, Done | Failed):
                    return message
        return _ended("tool_killed", Blame.POISON, "the process that did the step died")
    except TimeoutError:
        return _ended("over_limit_time", Blame.RESOURCE, "it did not end")
    finally:
        await asyncio.shield(child.kill())


def _ended(code: str, blame: Blame, detail: str) -> Failed:
    return Failed(reason=Reason(code=code, message=REASONS[code]), blame=blame, detail=detail, cpu_seconds=0.0)
