"""The step CLEANUP: takes an asset's pointers away (`unpublish`), its source (`original`), what lost
attempts left (`losers`), what came of a source that was not to be had (`sources`), or everything (`delete`)."""

from __future__ import annotations

from rushes.engine.job import Job
from rushes.errors import StepFailure
from rushes.model import CleanupResult
from rushes.packaging.takedown import remove_losers, remove_sources, takedown, unpublish
from rushes.storage.workspace import Workspace


def run(job: Job, workspace: Workspace) -> CleanupResult:
    """`params["what"]` says which. The count is that of public paths, those a CDN has to purge; of an original, 1."""
    match job.params.get("what"):
        case "unpublish":
            return CleanupResult(objects=len(unpublish(workspace.store, job.asset)))
        case "delete":
            return CleanupResult(objects=len(takedown(workspace.store, job.asset, job.tenant)))
        case "original":
            workspace.store.delete(job.source.key)
            return CleanupResult(objects=1)
        case "sources":
            return CleanupResult(objects=remove_sources(workspace.store, job.asset, job.tenant))
        case "losers":
            return CleanupResult(objects=remove_losers(workspace.store, job.asset, job.params["keep"]))
        case other:
            raise StepFailure("internal", detail=f"cleanup does not know {other!r}")
