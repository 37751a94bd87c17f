"""What follows in the catalog from a step that is done: its asset changes, and further steps are planned."""

from __future__ import annotations

from rushes.catalog import assets, avoidance, demands, encodes, planning, uploads
from rushes.catalog.arrival import arrived
from rushes.catalog.change import Change
from rushes.engine import outcome
from rushes.engine.checking import READY, refused
from rushes.engine.early import EARLY_PROBE
from rushes.engine.job import Job
from rushes.engine.rounds import plain, round_of
from rushes.facts import SourceRef
from rushes.keys import source_key
from rushes.model import AnalysisResult, Asset, ChecksumResult, LintResult, ProbeResult, PullResult, Result, Skipped
from rushes.states import AssetState, StepKind


def take(change: Change, asset: Asset, job: Job, result: Result, *, tool: str) -> None:
    """`tool` is the media tool's version. In the transaction that completes the step."""
    if isinstance(result, PullResult):
        arrived(change, result.upload, _pulled(job, result))
        return
    if job.kind is StepKind.PUBLISH:
        asset = encodes.published(change.tx, asset, job.key, result)
    found = outcome.apply(asset, job.key, result, change.now)
    if found != outcome.Outcome(asset):  # as by the one chunk of many: then there is nothing to write
        asset = change.save(found)
    if job.kind is StepKind.PUBLISH and isinstance(result, Skipped) and job.fence > 1:
        change.retract(job.asset)  # an earlier attempt may have written the pointer before it was lost
    if job.key == EARLY_PROBE:
        if asset.state is AssetState.FAILED:
            uploads.terminate_of(change.tx, job.asset)  # its bytes are swept
        return
    if isinstance(result, LintResult) and not result.passed and plain(job.key) == READY:
        _refuse(change, asset, job.key, result)
        return
    if job.kind in (StepKind.PACKAGE, StepKind.PUBLISH):
        demands.carry_on(change, asset)
    _planned(change, asset, job, result, tool)


def _refuse(change: Change, asset: Asset, key: str, result: LintResult) -> None:
    """The build that an asset or an encode is made for breaks rules: that is its end, and nothing of it is published."""
    if round_of(key) > 1:
        encodes.give_up(change, asset, key, refused(result))
    else:
        change.fail_asset(asset, refused(result))


def _planned(change: Change, asset: Asset, job: Job, result: Result, tool: str) -> None:
    terms = (job.profile, job.policy)
    match result:
        case ProbeResult():
            planning.after_probe(change, asset, job.key, result.plan, terms)
        case AnalysisResult():
            planning.after_analysis(change, asset, job.key, result.plan, terms)
        case ChecksumResult():
            found = assets.row(change.tx, asset.id)
            avoidance.remember(change.tx, (found, asset), tool=tool)


def _pulled(job: Job, result: PullResult) -> SourceRef:
    return SourceRef(key=source_key(job.tenant, job.asset, 1), version=1, size=result.size, filename=result.filename)
