"""Step `encode`: one decode of the source, all rungs of the ladder, verified, cut on the grid and uploaded."""

from __future__ import annotations

from pathlib import Path

from rushes.engine.job import Job
from rushes.facts import SourceFacts
from rushes.ffmpeg.door import Door
from rushes.model import Ladder, Rung, Track, TracksResult
from rushes.storage.workspace import Workspace
from rushes.transcoder import verify
from rushes.transcoder.command import decode_args, encode_args
from rushes.transcoder.cuts import grid_starts
from rushes.transcoder.decoding import Decoding
from rushes.transcoder.delivery import Delivery, open_movie
from rushes.transcoder.inputs import facts_of, input_of
from rushes.transcoder.reading import read_source

ENCODED = 0.9
"""Share of the step's progress that encoding is; checking and uploading is the rest."""


def run(job: Job, workspace: Workspace) -> TracksResult:
    """Params: `ladder` (a Ladder as JSON), `chunk` and `chunks` (0 and 1: the source is encoded in one piece).

    Raises StepFailure: `no_decodable_frames`, `truncated` where the policy refuses partial sources, `verify_failed`,
    and whatever the tool's edge found.
    """
    facts = facts_of(job)
    ladder = Ladder.model_validate(job.params["ladder"])
    outputs = [workspace.scratch / "encoded" / f"{rung.name}.mp4" for rung in ladder.rungs]
    decoding = _encode(job, workspace, ladder, outputs)
    frames = _check(Door(workspace.tools), ladder, outputs)
    seconds = float(frames / ladder.grid.fps)
    missing = verify.missing_seconds(verify.declared_seconds(facts), seconds, decoding.errors)
    verify.refuse_partial(missing, job.policy.partial)
    return TracksResult(
        tracks=tuple(_publish(job, workspace, ladder, outputs)),
        decoded_seconds=seconds,
        missing_seconds=missing,
        decode_errors=decoding.errors,
    )


def longest(facts: SourceFacts, limit: float) -> float:
    """Seconds after which an encode is cut off: declared lengths may be wrong, gaps of hours are an attack."""
    return min(limit, 2 * verify.declared_seconds(facts) + 60) if facts.duration > 0 else limit


def _encode(job: Job, workspace: Workspace, ladder: Ladder, outputs: list[Path]) -> Decoding:
    source = input_of(job, workspace)
    outputs[0].parent.mkdir()
    arguments = encode_args(source, ladder, job.profile, outputs, longest(source.facts, job.profile.limits.duration))
    return read_source(
        Door(workspace.tools),
        arguments,
        source,
        source.facts.video.index if source.facts.video else 0,
        writes=outputs[0].parent,
        report=(verify.declared_seconds(source.facts), lambda done: workspace.progress(done * ENCODED)),
    )


def _check(door: Door, ladder: Ladder, outputs: list[Path]) -> int:
    """Measure every rung, and really decode the lowest. The number of frames that all have."""
    found = []
    for rung, path in zip(ladder.rungs, outputs, strict=True):
        with open_movie(path) as movie:
            track = movie.first("vide")
            found += [verify.measured(rung.name, track)] if track else []
    frames = verify.check_rungs(found, ladder)
    decoded = door.run(decode_args(outputs[-1]), reads=[outputs[-1]])
    verify.check_decoded(frames, decoded.frames)
    return frames


def _publish(job: Job, workspace: Workspace, ladder: Ladder, outputs: list[Path]) -> list[Track]:
    tracks = []
    for number, (rung, path) in enumerate(zip(ladder.rungs, outputs, strict=True), 1):
        tracks.append(_publish_rung(Delivery(job, workspace), rung, ladder, path))
        path.unlink()
        workspace.progress(ENCODED + (1 - ENCODED) * number / len(outputs))
    return tracks


def _publish_rung(delivery: Delivery, rung: Rung, ladder: Ladder, path: Path) -> Track:
    with open_movie(path) as movie:
        track = movie.need("vide")
        starts = grid_starts(len(track.samples), ladder.grid.segment_frames)
        return delivery.publish(rung.name, track, movie.data, starts, fps=ladder.grid.fps)
