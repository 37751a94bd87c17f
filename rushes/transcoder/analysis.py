"""Step `analyze`: what the content needs, found out by a look at it and a few trial encodes, and the plan that follows."""

from __future__ import annotations

from rushes.engine.clip import clip_start, shown
from rushes.engine.job import Job
from rushes.errors import Blame, StepFailure
from rushes.facts import SourceFacts
from rushes.ffmpeg.door import Door
from rushes.model import AnalysisResult
from rushes.plan import Grid, Ladder, Plan, Receipt, Viewing
from rushes.profiles import CodecTarget, QualityTarget
from rushes.storage.workspace import Workspace
from rushes.transcoder.chunks import plan_chunks
from rushes.transcoder.inputs import facts_of, input_of
from rushes.transcoder.ladder import codecs, sizes
from rushes.transcoder.lazy import put_off
from rushes.transcoder.looking import look
from rushes.transcoder.quality_ladder import Built, Content, build, fixed_receipts
from rushes.transcoder.surface import fit
from rushes.transcoder.trial_encodes import Trials
from rushes.transcoder.trials import trial_ladder
from rushes.transcoder.verify import declared_seconds
from rushes.transcoder.windows import Window

SMALLEST_SIDE = 270
"""Pixels. libvmaf's SpEED ends in a crash on pictures that are much smaller (256x256, 426x240), which have one or two rungs
anyway."""
FEWEST_FRAMES = 24
SLOWEST = 5
"""Frames a second below which a source is a series of stills: VMAF has not learnt to judge those."""
LOOKED = 0.1
"""Share of the step's progress that looking is; the trials are the rest."""


def run(job: Job, workspace: Workspace) -> AnalysisResult:
    """Params: `plan`, what is done where nothing better is found.

    A source that cannot be tried keeps that plan, and the receipts say why. Raises StepFailure for what may pass.
    """
    fixed = Plan.model_validate(job.params["plan"]).whole
    quality, facts = job.profile.video.quality, shown(facts_of(job), job.options)
    largest = [sizes(facts.video, (job.profile, codec))[0] for codec in job.profile.video.codecs] if facts.video else []
    why = unfit(facts, fixed.grid, max(map(min, largest), default=0))
    if quality is None or why is not None:
        found = _fixed(fixed, why or "no quality is aimed at")
    else:
        found = _tried(job, workspace, fixed, quality)
    return found.model_copy(update={"plan": put_off(found.plan, facts, job.profile)})


def _tried(job: Job, workspace: Workspace, fixed: Plan, quality: QualityTarget) -> AnalysisResult:
    try:
        return _analyzed(job, workspace, fixed, quality)
    except StepFailure as failure:
        if failure.blame is not Blame.PERMANENT and failure.code != "tool_failed":  # it would fail so again
            raise
        return _fixed(fixed, f"the trial encodes failed ({failure.code})")


def unfit(facts: SourceFacts, grid: Grid, side: int) -> str | None:
    """Why a source is not tried. `side`: the short one of the largest picture that is made of it."""
    video = facts.video
    if video is None or side < SMALLEST_SIDE:
        return "the picture is too small to be measured"
    if video.fps < SLOWEST:
        return "it is a series of stills"
    if declared_seconds(facts) * float(grid.fps) < FEWEST_FRAMES:
        return "it is too short to be measured"
    return None


def _fixed(plan: Plan, why: str) -> AnalysisResult:
    receipts = [receipt for ladder in plan.ladders for receipt in _kept(ladder, why)]
    return AnalysisResult(plan=plan, receipts=tuple(receipts))


def _kept(ladder: Ladder, why: str) -> tuple[Receipt, ...]:
    return fixed_receipts(ladder, f"As in the fixed ladder: {why}.")


def _analyzed(job: Job, workspace: Workspace, fixed: Plan, quality: QualityTarget) -> AnalysisResult:
    facts, source, door = shown(facts_of(job), job.options), input_of(job, workspace), Door(workspace.tools)
    span = (clip_start(job.options, fixed.grid.fps), declared_seconds(facts))
    seen = look(door, source, workspace.scratch, fixed.grid, span)
    workspace.progress(LOOKED)
    viewing = _viewing(facts, job, quality)
    trials = Trials(door, source, workspace.scratch, job.options, viewing, seen.cuts)
    built = []
    for given in fixed.ladders:
        built.append(_built(job, (facts, fixed, given), trials, seen.windows))
        workspace.progress(LOOKED + (1 - LOOKED) * len(built) / len(fixed.ladders))
    return AnalysisResult(
        plan=_plan(facts, fixed, built),
        receipts=tuple(receipt for one in built for receipt in one.receipts),
        features=seen.features,
    )


def _plan(facts: SourceFacts, fixed: Plan, built: list[Built]) -> Plan:
    """Where the source is no longer its own top rung, the grid still is that of its key pictures: the sound may have been
    cut by it already."""
    ladders = tuple(one.ladder for one in built)
    changed: dict[str, object] = {"ladders": ladders, "chunks": plan_chunks(facts, *ladders)}
    if not built[0].reuse:
        changed |= {"reuse": False, "top": None}
    return fixed.model_copy(update=changed)


def _built(job: Job, planned: tuple[SourceFacts, Plan, Ladder], trials: Trials, windows: list[Window]) -> Built:
    """The ladder for the codec of a planned one."""
    facts, fixed, given = planned
    codec = _target(job, facts, given)
    if codec is None or facts.video is None or codec.hdr:
        return Built(given, _kept(given, "nobody has taught VMAF to judge HDR"), reuse=False)
    wanted, viewing = (job.profile, codec), trials.viewing
    possible = tuple(sizes(facts.video, wanted))
    points = trials.run(trial_ladder(possible, codec, given.grid), windows)
    surface = fit(points, viewing, codec.codec)
    reused = fixed.top if fixed.reuse and given is fixed.ladders[0] else None
    return build(surface, points, Content(facts, wanted, given.grid, viewing, possible, reused))


def _viewing(facts: SourceFacts, job: Job, quality: QualityTarget) -> Viewing:
    """At the largest size that any codec of the profile makes of the source."""
    found = [sizes(facts.video, (job.profile, codec))[0] for codec in job.profile.video.codecs] if facts.video else []
    width, height = max(found, key=min)
    return Viewing(model=quality.model, width=width, height=height)


def _target(job: Job, facts: SourceFacts, given: Ladder) -> CodecTarget | None:
    """The profile's codec that a ladder was planned for."""
    hdr = given.rungs[0].hdr is not None
    mine = codecs(facts.video, job.profile) if facts.video else []
    return next((codec for codec in mine if codec.codec == given.codec and codec.hdr == hdr), None)
