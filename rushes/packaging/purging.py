"""Sends what `purge` says has to be sent: as a step that is never given up, and at once when something is taken away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import httpx

from rushes.engine.job import Job, PurgeSettings
from rushes.errors import Blame, StepFailure
from rushes.model import CleanupResult
from rushes.packaging.purge import PurgeRequest, complaint, requests
from rushes.storage.store import ObjectMissing
from rushes.storage.workspace import Workspace

AT_ONCE = 16
TIMEOUT = 5.0
"""Seconds for each of connecting, writing and reading."""
PATIENCE = 120.0
"""Seconds for all of one attempt; a worker's slot is taken meanwhile."""


def run(job: Job, workspace: Workspace) -> CleanupResult:
    """Purge the paths that `params["list"]` holds, one a line. Raises StepFailure, to be tried again, if any cache has not
    said that it did. With `params["last"]` nobody needs the list afterwards."""
    purge, key = workspace.tools.purge, job.params["list"]
    if purge is None:
        raise StepFailure("internal", Blame.TRANSIENT, detail="this worker has no RUSHES_PURGE, and others have")
    try:
        paths = workspace.store.read(key).decode().splitlines()
    except ObjectMissing:  # an attempt before this one had ended its work
        return CleanupResult(objects=0)
    complaints = asyncio.run(_within(PATIENCE, purge, job.asset, paths))
    if complaints:
        raise StepFailure("purge_failed", Blame.TRANSIENT, detail="\n".join(complaints[:20]))
    if job.params.get("last"):
        workspace.store.delete(key)
    return CleanupResult(objects=len(paths))


async def _within(seconds: float, purge: PurgeSettings, asset: str, paths: Sequence[str]) -> list[str]:
    try:
        async with asyncio.timeout(seconds):
            return await send(purge, requests(purge, asset, paths))
    except TimeoutError:
        return [f"not done within {seconds:.0f} s"]


async def send(purge: PurgeSettings, wanted: Iterable[PurgeRequest]) -> list[str]:
    """Send them, a few at a time, in their order. Gives what was wrong; never raises for what the other side does."""
    left, complaints = iter(wanted), list[str]()
    async with httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=False, trust_env=False) as client:

        async def sender() -> None:
            for request in left:
                complaints.append(await _sent(client, purge, request))

        await asyncio.gather(*(sender() for _ in range(AT_ONCE)))
    return [text for text in complaints if text]


async def _sent(client: httpx.AsyncClient, purge: PurgeSettings, request: PurgeRequest) -> str:
    try:
        answer = await client.request(
            request.method, request.url, headers=dict(request.headers), content=request.body.encode()
        )
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return f"{request.method} {request.url.partition('?')[0]}: {type(error).__name__}: {error}"[:300]
    return complaint(purge, request, answer.status_code, answer.headers.get("x-cache", ""))
