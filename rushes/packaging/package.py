"""The step PACKAGE: tracks that lie in the store become a build. Reads no media, writes only manifests and captions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeGuard

from rushes.engine.job import Job
from rushes.engine.quality import replaced
from rushes.engine.shortfall import contiguous, missing_of, refuse_partial
from rushes.errors import Blame, StepFailure
from rushes.keys import build_prefix, output_prefix
from rushes.model import PackageResult, Skipped, Track, TracksResult, TranscriptResult
from rushes.noun import Reason
from rushes.packaging import first
from rushes.packaging.build import BuildError, build_documents
from rushes.packaging.captions import Captions, build_captions, wanted
from rushes.packaging.chunks import ChunkError, join_chunks, joined_in_time
from rushes.packaging.labels import family
from rushes.packaging.lint import cuts
from rushes.packaging.sync import problem
from rushes.storage.types import content_type
from rushes.storage.workspace import Workspace

FIRST, GROW, END, READY, ENRICHED, CODECS = "first", "grow", "end", "ready", "enriched", "codecs"


def run(job: Job, workspace: Workspace) -> PackageResult | Skipped:
    """Write the build `job.build` for the phase in the parameters. Raises StepFailure `verify_failed`."""
    phase = job.params.get("phase", READY)
    if phase == ENRICHED:
        return _enriched(job, workspace)
    if phase == CODECS:
        return _with_codecs(job, workspace)
    if phase == GROW:
        return first.go_on(job, workspace)
    if phase == END:
        return first.end(job, workspace)
    if phase == FIRST and job.params.get("growing"):
        return first.begin(job, workspace)
    inputs = _provisional(job) if phase == FIRST else _final(job)
    if phase == FIRST and not inputs:
        return _skipped("no_fast_lane", "The source cannot be delivered as it is.")
    if phase == FIRST and not first.is_as_found(job):
        return _skipped("no_fast_lane", "The source's index and its picture do not agree.")
    damage = _damage(inputs)
    tracks = _joined(_contiguous(inputs), workspace)
    if phase != FIRST:  # a provisional build plays what the source is, late sound included
        _check_sync(tracks, partial=any(damage.values()))
        refuse_partial(damage["missing_seconds"], job.policy.partial)
    written = _write(job, workspace, tracks, complete=phase != FIRST)
    return written.model_copy(update=damage)


def _damage(results: Sequence[TracksResult | PackageResult]) -> dict[str, float]:
    chunks = [result for result in results if _is_chunk(result)]
    missing = [result.missing_seconds for result in results if not _is_chunk(result)]
    return {
        "missing_seconds": max(missing_of(chunks), *missing, 0.0),
        "decode_errors": sum(result.decode_errors for result in results),
    }


def _contiguous(results: Sequence[TracksResult]) -> list[TracksResult]:
    chunks = contiguous([result for result in results if _is_chunk(result)])
    return [*chunks, *(result for result in results if not _is_chunk(result))]


def _is_chunk(result: TracksResult | PackageResult) -> TypeGuard[TracksResult]:
    """One of several, which together say how much is missing."""
    return isinstance(result, TracksResult) and result.expected_seconds is not None


def _check_sync(tracks: Sequence[Track], *, partial: bool) -> None:
    trouble = problem(tracks, partial=partial)
    if trouble:
        raise StepFailure("verify_failed", Blame.TRANSIENT, detail=trouble)


def _provisional(job: Job) -> list[TracksResult]:
    """A copy of the source, or a first look at it and the ladder's sound; nothing where there is only the sound."""
    found = [result for result in job.inputs.values() if isinstance(result, TracksResult)]
    return found if any(result.provisional for result in found) else []


def _final(job: Job) -> list[TracksResult]:
    """Encoded chunks in their order, then sound."""
    found = {
        key: result for key, result in job.inputs.items() if isinstance(result, TracksResult) and not result.provisional
    }
    return replaced([found[key] for key in sorted(found, key=_chunk_order)])


def _chunk_order(key: str) -> tuple[bool, int, str]:
    kind, _, number = key.partition(".")
    return kind != "encode", int(number) if number.isdecimal() else 0, key


def _joined(results: Iterable[TracksResult], workspace: Workspace) -> list[Track]:
    pieces = [result.tracks for result in results]
    _check_shared_inits([track for piece in pieces for track in piece], workspace)
    try:
        return join_chunks(pieces)
    except ChunkError as error:
        raise StepFailure("verify_failed", Blame.TRANSIENT, detail=str(error)) from error


def _check_shared_inits(tracks: Sequence[Track], workspace: Workspace) -> None:
    """Chunks of one track share one init segment; a player gets that of the first only."""
    names = Counter(track.name for track in tracks)
    seen: dict[str, bytes] = {}
    for track in (track for track in tracks if names[track.name] > 1):
        init = workspace.store.read(track.prefix + (track.init or ""))
        if seen.setdefault(track.name, init) != init:
            detail = f"the chunks of {track.name} need different init segments"
            raise StepFailure("verify_failed", Blame.TRANSIENT, detail=detail)


def _enriched(job: Job, workspace: Workspace) -> PackageResult | Skipped:
    base = next((result for result in job.inputs.values() if isinstance(result, PackageResult)), None)
    transcript = next((result for result in job.inputs.values() if isinstance(result, TranscriptResult)), None)
    if base is None:
        return _skipped("no_build", "There is no complete build that captions could be added to.")
    if transcript is None or not wanted(transcript, job.profile.enrichment.captions):
        return _skipped("no_captions", _why_no_captions(transcript))
    captions = build_captions(transcript, _grid(base.tracks), output_prefix(job.asset, job.recipe, job.fence))
    _store(captions, workspace)
    written = _write(job, workspace, [*base.tracks, captions.track], complete=base.complete)
    return written.model_copy(update=_damage([base]))


def _with_codecs(job: Job, workspace: Workspace) -> PackageResult | Skipped:
    """The newest build so far and, behind its own pictures, those of other codecs. A codec that is not whole is left out:
    what plays never becomes less."""
    base = max(
        (result for result in job.inputs.values() if isinstance(result, PackageResult) and result.complete),
        key=lambda result: result.build,
        default=None,
    )
    if base is None:
        return _skipped("no_build", "There is no complete build that other codecs could be added to.")
    encoded = [result for result in job.inputs.values() if isinstance(result, TracksResult) and not result.provisional]
    pieces = [track for result in replaced(encoded) for track in result.tracks]
    grid = cuts(_grid(base.tracks))
    added = sorted(
        (track for track in joined_in_time(pieces) if track.kind == "video" and cuts(track) == grid),
        key=lambda track: (bool(track.hdr), family(track), -track.bytes),
    )
    if not added:
        return _skipped("no_codecs", "No other codec was encoded to its end.")
    _check_shared_inits(pieces, workspace)
    pictures = [track for track in base.tracks if track.kind == "video"]
    others = [track for track in base.tracks if track.kind != "video"]
    written = _write(job, workspace, [*pictures, *added, *others], complete=True)
    return written.model_copy(update=_damage([base]))  # what is added is as long, frame for frame


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
        documents = build_documents(job.asset, job.build, tracks, audio_only=job.profile.outputs.audio_only)
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
