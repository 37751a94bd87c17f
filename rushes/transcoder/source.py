"""Step PROBE: what the source is, whether we take it, and the plan for it."""

from __future__ import annotations

from rushes.engine.clip import check_holds, shown
from rushes.engine.early import EARLY_PROBE
from rushes.engine.job import Job
from rushes.ffmpeg.probe import probe
from rushes.model import ProbeResult, Skipped
from rushes.storage.workspace import Workspace
from rushes.transcoder import early
from rushes.transcoder.copied import planned
from rushes.transcoder.ladder import plan
from rushes.transcoder.lazy import put_off
from rushes.transcoder.limits import check


def run(job: Job, workspace: Workspace) -> ProbeResult | Skipped:
    """Facts of the source, and the ladder planned from them.

    Raises StepFailure for what is no video of ours, and for what is over the profile's limits.
    """
    if job.key == EARLY_PROBE:
        return early.run(job, workspace)
    path = workspace.source(job)
    facts = probe(path, workspace.tools, personal=job.profile.personal_metadata)
    check(facts, job.profile.limits)
    wanted = shown(facts, job.options)
    found = plan(wanted, job.profile)
    check_holds(job.options, facts, found.grid.fps)
    workspace.progress(1.0)
    return ProbeResult(facts=facts, plan=put_off(planned(found, path, wanted, job.profile), wanted, job.profile))
