"""The VERDICT step: gather the evidence and let the policy decide."""

from __future__ import annotations

from collections.abc import Sequence

from rushes.engine.job import Job
from rushes.model import LabelsResult, PackageResult, Partial, Result, Skipped, TracksResult, Verdict, VerdictResult
from rushes.moderation.policy import decide, milder
from rushes.noun import Reason
from rushes.states import Action
from rushes.storage.workspace import Workspace

OVERRIDE = "override"


def run(job: Job, workspace: Workspace | None = None) -> VerdictResult | Skipped:
    """Judge the build of `params["phase"]`; Skipped where that build was not made. Pure: the workspace is not used."""
    packages = [result for key, result in job.inputs.items() if key.startswith("package.")]
    if not any(isinstance(result, PackageResult) for result in packages):
        return Skipped(reason=_why_skipped(packages))
    if job.verdict_override is not None:
        return _result(Verdict(action=Action(job.verdict_override), policy=job.policy.ref, rules=(OVERRIDE,)))
    labels = next((result for result in job.inputs.values() if isinstance(result, LabelsResult)), None)
    verdict = decide(
        job.policy,
        labels.labels if labels else (),
        labels.coverage if labels else (),
        _damage(job),
        phase=str(job.params.get("phase", "ready")),
    )
    return _result(verdict if labels else _not_milder(verdict, job.verdict))


def _result(verdict: Verdict) -> VerdictResult:
    return VerdictResult(verdict=verdict)


def _not_milder(verdict: Verdict, earlier: Verdict | None) -> Verdict:
    """Without labels of its own, a step that was late or tried again must not undo what labels decided."""
    if earlier is None or earlier.rules[:1] == (OVERRIDE,) or not milder(verdict, earlier):
        return verdict
    return earlier


def _damage(job: Job) -> Partial | None:
    tracks = [result for result in job.inputs.values() if isinstance(result, (TracksResult, PackageResult))]
    missing = max((result.missing_seconds for result in tracks), default=0.0)
    errors = sum(result.decode_errors for result in tracks)
    return Partial(missing_seconds=missing, decode_errors=errors) if missing > 0 or errors else None


def _why_skipped(packages: Sequence[Result]) -> Reason:
    for result in packages:
        if isinstance(result, Skipped):
            return result.reason
    return Reason(code="no_build", message="There is no build to judge.")
