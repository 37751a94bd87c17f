"""The LABELS step: look at frames of the finished video, say what was seen, and say what nobody looked for."""

from __future__ import annotations

from collections.abc import Callable

from rushes.engine.job import Job
from rushes.ffmpeg.door import Door
from rushes.ffmpeg.frames import read_frames
from rushes.model import CoverageEntry, Label, LabelsResult, Skipped
from rushes.moderation import nudenet
from rushes.moderation.capabilities import blind_spots, not_evaluated
from rushes.moderation.detector import Absent, Detector
from rushes.moderation.sampling import Sample, choose, sample
from rushes.moderation.spans import Sighting, merge
from rushes.noun import Reason
from rushes.policies import Policy
from rushes.states import Coverage
from rushes.storage.rendition import assemble, footage
from rushes.storage.workspace import Workspace
from rushes.tracks import Track

ENOUGH = 0.9
"""Share of the expected frames that must have been seen to count as evaluated."""
LEAST_SCORE = 0.5
"""Below this a finding is more often wrong than right (0.47 for bare skin on an animated rabbit was seen), and a label
is a serious thing to say of somebody's video. Also the default of Rekognition's MinConfidence."""


def run(job: Job, workspace: Workspace, find: Callable[[], Detector | Absent] | None = None) -> LabelsResult | Skipped:
    """Labels with spans, and coverage for every detector that there is or should be. Raises StepFailure of the door.

    Without a detector the labels are empty and the coverage says `not_evaluated`: that is never the same as clean.
    """
    tracks = footage(job.inputs.values())
    track = choose(tracks) if tracks else None
    if track is None:
        return Skipped(reason=Reason(code="no_pictures", message="There is no video track to look at."))
    detector = find() if find else nudenet.find(workspace.tools.gpu)
    if isinstance(detector, Absent):
        return LabelsResult(labels=(), coverage=(not_evaluated(*detector), *blind_spots()))
    labels, entry = _look(track, detector, workspace, least_score(job.policy))
    return LabelsResult(labels=labels, coverage=(entry, *blind_spots()))


def least_score(policy: Policy) -> float:
    """From which score on a finding becomes a label: lower where a rule of the policy asks for it."""
    return min(LEAST_SCORE, *(rule.score for rule in policy.rules), 1.0)


def _look(
    track: Track, detector: Detector, workspace: Workspace, least: float
) -> tuple[tuple[Label, ...], CoverageEntry]:
    plan = sample(track)
    path = assemble(track, workspace.store, workspace.scratch)
    seen: list[Sighting] = []
    frames = 0
    pictures = read_frames(Door(workspace.tools), path, "mov", fps=plan.fps, width=plan.width, height=plan.height)
    for time, picture in pictures:
        frames += 1
        seen += [Sighting(found.name, time, found.score) for found in detector.detect(picture) if found.score >= least]
        workspace.progress(min(0.99, frames / plan.expected))
    interval, version = float(plan.interval), detector.version
    labels = merge(seen, interval=interval, duration=track.duration, detector=detector.name, version=version)
    return labels, coverage_of(detector, plan, frames)


def coverage_of(detector: Detector, plan: Sample, frames: int) -> CoverageEntry:
    """`evaluated` only if frames came, nearly as many as planned, and not too far apart."""
    state, reason = Coverage.EVALUATED, None
    if frames == 0:
        state, reason = Coverage.NOT_EVALUATED, "Not one frame could be read."
    elif frames < ENOUGH * plan.expected:
        state, reason = Coverage.PARTIAL, f"Only {frames} of {plan.expected} frames could be read."
    elif plan.is_thin:
        state, reason = Coverage.PARTIAL, f"One frame every {float(plan.interval):.0f} s is too thin a sample."
    elif plan.interval > 1:
        reason = f"One frame every {float(plan.interval):.1f} s."
    return CoverageEntry(detector=detector.name, version=detector.version, state=state, frames=frames, reason=reason)
