"""The step PUBLISH: the pointer names a build, if the verdict allows it and the asset still lives."""

from __future__ import annotations

from rushes.engine.checking import CHECKED
from rushes.engine.job import Job
from rushes.keys import build_prefix, tombstone_key
from rushes.model import PackageResult, PublishResult, Skipped, VerdictResult
from rushes.noun import Reason
from rushes.packaging.hls import MASTER
from rushes.packaging.lint.verdict import Unfit, fit
from rushes.packaging.pointer import point, remove
from rushes.states import Action
from rushes.storage.store import ObjectStore, exists
from rushes.storage.workspace import Workspace

REVIEW = "review"


def run(job: Job, workspace: Workspace) -> PublishResult | Skipped:
    """Point at the build of this phase, only upwards. Skipped where there is nothing to publish or no leave to."""
    store = workspace.store
    action = decided(job)
    if action is not Action.PUBLISH:
        return _skipped(f"verdict_{action.value}" if action else "no_verdict", _SENTENCES[action])
    try:
        build = fit(_builds(job, store), job, store, checked=bool(job.params.get(CHECKED)))
    except Unfit as error:
        return _skipped(error.code, error.message)
    if build is None:
        return _skipped("no_build", "There is no build of this phase.")
    if _is_deleted(store, job.asset):
        return _skipped("deleted", "The asset was deleted.")
    named = point(store, job.asset, build, job.options.playback)
    if _is_deleted(store, job.asset):  # a takedown came while we wrote, and may have looked before we did
        remove(store, job.asset)
        return _skipped("deleted", "The asset was deleted while it was being published.")
    return PublishResult(build=named)


_SENTENCES = {
    None: "There is no verdict.",
    Action.HOLD: "The verdict holds the asset back for review.",
    Action.BLOCK: "The verdict blocks the asset.",
}


def decided(job: Job) -> Action | None:
    """A moderator's decision; else the strictest of the verdicts known, the asset's present one among them."""
    if job.verdict_override:
        return job.verdict_override
    known = [result.verdict.action for result in job.inputs.values() if isinstance(result, VerdictResult)]
    known += [job.verdict.action] if job.verdict else []
    strictness = [Action.PUBLISH, Action.HOLD, Action.BLOCK]
    return max(known, key=strictness.index, default=None)


def _builds(job: Job, store: ObjectStore) -> list[int]:
    """Those of the package steps, the newest first; after a review the asset's newest too, which may have more in it by then
    (captions)."""
    found = {result.build for result in job.inputs.values() if isinstance(result, PackageResult)}
    if found and job.params.get("phase") == REVIEW and job.build > max(found):
        found |= {job.build} if exists(store, build_prefix(job.asset, job.build) + MASTER) else set()
    return sorted(found, reverse=True)


def _is_deleted(store: ObjectStore, asset: str) -> bool:
    return exists(store, tombstone_key(asset))


def _skipped(code: str, message: str) -> Skipped:
    return Skipped(reason=Reason(code=code, message=message))
