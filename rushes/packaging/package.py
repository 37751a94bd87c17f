"""The step PACKAGE: tracks that lie in the store become a build. Reads no media, writes only manifests and captions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rushes.engine.job import Job
from rushes.errors import Blame, StepFailure
from rushes.keys import build_prefix, output_prefix
from rushes.model import PackageResult, Skipped, Track, TracksResult, TranscriptResult
from rushes.noun import Reason
from rushes.packaging.build import BuildError, build_documents
from rushes.packaging.captions import Captions, build_captions, wanted
from rushes.packaging.chunks import ChunkError, join_chunks
from rushes.packaging.sync import problem
from rushes.storage.types import content_type
from rushes.storage.workspace import Workspace

FIRST, READY, ENRICHED = "first", "ready", "enriched"


def run(job: Job, workspace: Workspace) -> PackageResult | Skipped:
    """Write the build `job.build` for the phase in the parameters. Raises StepFailure `verify_failed`."""
    phase = job.params.get("phase", READY)
    if phase == ENRICHED:
        return _enriched(job, workspace)
    inputs = _provisional(job) if phase == FIRST else _final(job)
    if phase == FIRST and not inputs:
        return _skipped("no_fast_lane", "The source cannot be delivered as it is.")
    tracks = _joined(inputs, workspace)
    if phase != FIRST:  # a provisional build plays what the source is, late sound included
        _check_sync(tracks, inputs)
    return _write(job, workspace, tracks, complete=phase != FIRST)


def _check_sync(tracks: Sequence[Track], results: Sequence[TracksResult]) -> None:
    trouble = problem(tracks, partial=any(result.missing_seconds or result.decode_errors for result in results))
    if trouble:
        raise StepFailure("verify_failed", Blame.TRANSIENT, detail=trouble)


def _provisional(job: Job) -> list[TracksResult]:
    return [result for result in job.inputs.values() if isinstance(result, TracksResult) and result.provisional]


def _final(job: Job) -> list[TracksResult]:
    """Encoded chunks in their order, then sound."""
    found = {
        key: result for key, result in job.inputs.items() if isinstance(result, TracksResult) and not result.provisional
    }
    return [found[key] for key in sorted(found, key=_chunk_order)]


def _chunk_order(key: str) -> tuple[bool, int, str]:
    kind, _, number = key.partition(".")
    return kind != "encode", int(number) if number.isdecimal() else 0, key


def _joined(results: Iterable[TracksResult], workspace: Workspace) -> list[Track]:
    pieces = [result.tracks for result in results]
    try:
        _check_inits(pieces, workspace)
        return join_chunks(pieces)
    except ChunkError as error:
        raise StepFailure("verify_failed", Blame.TRANSIENT, detail=str(error)) from error


def _check_inits(pieces: Sequence[Sequence[Track]], workspace: Workspace) -> None:
    """Chunks of one track share one init segment; a player gets that of the first only."""
    names = [track.name for piece in pieces for track in piece]
    seen: dict[str, bytes] = {}
    for track in (track for piece in pieces for track in piece if names.count(track.name) > 1):
        init = workspace.store.read(track.prefix + (track.init or ""))
        if seen.setdefault(track.name, init) != init:
            raise ChunkError(f"the chunks of {track.name} need different init segments")


def _enriched(job: Job, workspace: Workspace) -> PackageResult | Skipped:
    base = next((result for result in job.inputs.values() if isinstance(result, PackageResult)), None)
    transcript = next((result for result in job.inputs.values() if isinstance(result, TranscriptResult)), None)
    if base is None:
        return _skipped("no_build", "There is no complete build that captions could be added to.")
    if transcript is None or not wanted(transcript, job.profile.enrichment.captions):
        return _skipped("no_captions", _why_no_captions(transcript))
    captions = build_captions(transcript, _grid(base.tracks), output_prefix(job.asset, job.recipe, job.fence))
    _store(captions, workspace)
    return _write(job, workspace, [*base.tracks, captions.track], complete=base.complete)


def _why_no_captions(transcript: TranscriptResult | None) -> str:
    if transcript is None:
        return "There is no transcript."
    return "The transcript is not good enough for captions." if transcript.cues else "Nothing is said."


def _grid(tracks: Sequence[Track]) -> Track:
    return next((track for track in tracks if track.kind == "video"), tracks[0])


def _store(captions: Captions, workspace: Workspace) -> None:
    for name, data in captions.files.items():
        workspace.publish_bytes(captions.track.prefix + name, data, content_type(name))


def _write(job: Job, workspace: Workspace, tracks: list[Track], *, complete: bool) -> PackageResult:
    try:
        documents = build_documents(job.asset, job.build, tracks)
    except BuildError as error:
        raise StepFailure("verify_failed", Blame.TRANSIENT, detail=str(error)) from error
    size = 0
    for done, (name, text) in enumerate(documents.items(), 1):
        size += workspace.publish_bytes(
            build_prefix(job.asset, job.build) + name, text.encode(), content_type(name)
        ).size
        workspace.progress(done / len(documents))
    total = size + sum(track.bytes for track in tracks)
    return PackageResult(build=job.build, tracks=tuple(tracks), complete=complete, bytes=total)


def _skipped(code: str, message: str) -> Skipped:
    return Skipped(reason=Reason(code=code, message=message))
