"""A result that is there already: its objects are copied below this attempt's own place, by the store itself where it can."""

from __future__ import annotations

import logging

from rushes.engine.job import Job
from rushes.engine.work import moved, moved_key, objects
from rushes.model import Result, TracksResult
from rushes.storage.store import StoreError
from rushes.storage.workspace import Workspace

log = logging.getLogger("rushes.step")


def copied(job: Job, workspace: Workspace) -> Result | None:
    """The twin's result as this job's own. None where there is no twin, or where an object of it is gone or is not what the
    result says: then the work is done, over whatever was copied."""
    if job.twin is None:
        return None
    place = (job.asset, job.recipe, job.fence)
    private = job.is_protected and isinstance(job.twin.result, TracksResult)
    result = moved(job.twin.result, place, private=private)
    if result is None:
        return None
    wanted = list(objects(job.twin.result))
    try:
        sizes = workspace.copy_all([(key, moved_key(key, place, private=private)) for key, _ in wanted])
    except (StoreError, OSError, ValueError) as error:
        log.warning(
            "step %s of %s is done anew, for the same work of %s could not be copied: %s",
            job.key,
            job.asset,
            job.twin.asset,
            error,
        )
        return None
    return result if all(size in (None, found) for (_, size), found in zip(wanted, sizes, strict=True)) else None
