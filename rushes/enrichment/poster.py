"""Step `poster`: one picture that stands for the clip, neither black nor blurred where the clip has such a one."""

from __future__ import annotations

import cv2
import numpy as np

from rushes import keys
from rushes.engine.job import Job
from rushes.enrichment import rendition
from rushes.enrichment.picture import Picture, Scores, choose, rank, score
from rushes.enrichment.thumbhash import thumbhash
from rushes.errors import Blame, StepFailure
from rushes.model import ImageArtifact, PosterResult
from rushes.storage.types import content_type
from rushes.storage.workspace import Workspace
from rushes.tracks import Track

NAME = "poster.jpg"
QUALITY = 85
CANDIDATES = 12
MARGIN = 0.02
"""Share of the clip at either end that is left out: fades, logos, the phone being put down."""
SCORING_SIDE = 540
"""Candidates are judged on the largest rung whose shorter side is at most this; blur is seen there, decoding is cheap."""


def run(job: Job, workspace: Workspace) -> PosterResult:
    """Takes the pictures of the complete build. Raises StepFailure where no picture of them can be decoded."""
    tracks = rendition.rungs(job)
    time, mark = _best(_scoring(tracks), workspace)
    workspace.progress(0.7)
    found = rendition.pictures(tracks[0], workspace, [time], rendition.size(tracks[0]))
    taken, picture = found[0]
    key = keys.artifact_prefix(job.asset, job.recipe, job.fence) + NAME
    workspace.publish_bytes(key, jpeg(picture, QUALITY), content_type(NAME))
    width, height = rendition.size(tracks[0])
    judged = {"time": round(taken, 3), "score": round(mark, 3), "thumbhash": thumbhash(picture)}
    return PosterResult(poster=ImageArtifact(key=key, width=width, height=height, **judged))


def candidate_times(start: float, end: float) -> list[float]:
    """CANDIDATES times spread evenly over the clip, without its margins; one second or less apart on a short clip."""
    first, last = start + (end - start) * MARGIN, end - (end - start) * MARGIN
    step = (last - first) / CANDIDATES
    return [first + step * (number + 0.5) for number in range(CANDIDATES)]


def jpeg(picture: Picture, quality: int) -> bytes:
    """JPEG bytes of an RGB picture; quality 0..100. Raises StepFailure where OpenCV cannot write one."""
    written, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not written:
        raise StepFailure("internal", Blame.TRANSIENT, detail=f"no JPEG of {picture.shape}")
    return np.asarray(data).tobytes()


def _scoring(tracks: list[Track]) -> Track:
    """The largest rung that is small enough, else the smallest there is."""
    small = [track for track in tracks if min(rendition.size(track)) <= SCORING_SIDE]
    return small[0] if small else tracks[-1]


def _best(track: Track, workspace: Workspace) -> tuple[float, float]:
    """Time of the best candidate, and its mark in 0..1."""
    times = candidate_times(*rendition.span(track))
    sparse = times[1] - times[0] >= rendition.segment_seconds(track)
    found = rendition.pictures(track, workspace, times, rendition.size(track), keyframes=sparse)
    scores: list[Scores] = [score(picture) for _, picture in found]
    index = choose(scores)
    return found[index][0], rank(scores)[index]
