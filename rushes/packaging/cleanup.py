"""The step CLEANUP: takes an asset's pointers away (`unpublish`), its source (`original`), what lost
attempts left (`losers`), what came of a source that was not to be had (`sources`), or everything (`delete`). And tells
caches what they have to forget of it (`purge`)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from rushes.engine.job import Job
from rushes.errors import StepFailure
from rushes.keys import purge_key
from rushes.model import CleanupResult
from rushes.packaging.purge import pointers
from rushes.packaging.takedown import hide, public_paths, remove_losers, remove_sources, takedown, unpublish
from rushes.storage.store import PRIVATE, Headers, ObjectMissing
from rushes.storage.workspace import Workspace


def run(job: Job, workspace: Workspace) -> CleanupResult:
    """`params["what"]` says which. The count is that of public paths, those a CDN has to purge; of an original, 1."""
    match job.params.get("what"):
        case "unpublish":
            gone = unpublish(workspace.store, job.asset)
            return CleanupResult(objects=len(gone), purge=_listed(job, workspace, gone))
        case "delete":
            hide(workspace.store, job.asset)  # pointers first: the list may be long
            purge = _listed(job, workspace, pointers(job.asset))
            return CleanupResult(objects=len(takedown(workspace.store, job.asset, job.tenant)), purge=purge)
        case "purge":
            return purging(job, workspace)
        case "original":
            workspace.store.delete(job.source.key)
            return CleanupResult(objects=1)
        case "sources":
            return CleanupResult(objects=remove_sources(workspace.store, job.asset, job.tenant))
        case "losers":
            return CleanupResult(objects=remove_losers(workspace.store, job.asset, job.params["keep"]))
        case other:
            raise StepFailure("internal", detail=f"cleanup does not know {other!r}")


def _listed(job: Job, workspace: Workspace, first: Sequence[str]) -> str:
    """Keep what caches have to forget, `first` before the rest, in an object: its key, or nothing where nobody asks. Written
    before any object goes, and what an attempt before this one wrote stays: a list must not get shorter."""
    if not job.params.get("purge"):
        return ""
    key = purge_key(job.asset, job.key)
    known: list[str] = []
    with suppress(ObjectMissing):
        known = workspace.store.read(key).decode().splitlines()
    paths = dict.fromkeys([*first, *known, *public_paths(workspace.store, job.asset)])
    workspace.store.put_bytes(key, "\n".join(paths).encode(), Headers("text/plain; charset=utf-8", PRIVATE))
    return key


def purging(job: Job, workspace: Workspace) -> CleanupResult:
    from rushes.packaging.purging import run  # deferred: it loads an HTTP client, which few children need

    return run(job, workspace)
