"""What a step needs of the machine that does it, reckoned before it begins. Pure. Reckonings, not promises: a step that is alone
is done whatever they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rushes.engine.job import Job
from rushes.states import StepKind

SMALL = 50_000_000
"""Bytes that any step may need."""
_COPIES = frozenset({StepKind.REMUX, StepKind.DOWNLOAD})
"""Kinds whose output is about as large as their input."""
_NEEDS_SOURCE = frozenset({
    StepKind.PROBE, StepKind.ANALYZE, StepKind.CHECKSUM, StepKind.REMUX, StepKind.ENCODE, StepKind.CORRECT, StepKind.AUDIO,
    StepKind.POSTER, StepKind.STORYBOARD, StepKind.DOWNLOAD, StepKind.TRANSCRIPT, StepKind.LABELS,
})  # fmt: skip


def scratch_of(job: Job, *, remote: bool) -> int:
    """Bytes on the scratch disk. `remote`: the source is fetched first; from a local store it is read where it lies."""
    fetched = job.source.size if remote and job.kind in _NEEDS_SOURCE else 0
    made = job.source.size if job.kind in _COPIES else _encoded(job.params)
    return max(job.needs.scratch, SMALL + fetched + made)


def _encoded(params: Mapping[str, Any]) -> int:
    """At most what the rungs' caps allow for the length of the chunk; a rung without a cap is reckoned as small."""
    seconds = media_seconds(params)
    rungs = params.get("ladder", {}).get("rungs", ()) if seconds else ()
    return int(seconds * sum(rung.get("max_bitrate", 0) for rung in rungs) / 8)


def media_seconds(params: Mapping[str, Any]) -> float:
    """Length of the chunk that an encode makes; 0 where that is not written down."""
    frames = (params.get("chunk") or {}).get("frames")
    fps = params.get("ladder", {}).get("grid", {}).get("fps")
    if not frames or not fps:
        return 0.0
    number, _, below = str(fps).partition("/")
    return float(frames) * float(below or 1) / float(number)
