"""The step PACKAGE: tracks that lie in the store become a build. Writes manifests and captions, and reads no media unless it is to
be protected, or to lie in single files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeGuard

from rushes.engine.job import Job
from rushes.engine.quality import replaced
from rushes.engine.shortfall import contiguous, missing_of, refuse_partial
from rushes.errors import Blame, StepFailure
from rushes.keys import build_prefix, output_prefix
from rushes.model import PackageResult, Skipped, StoryboardResult, TracksResult, TranscriptResult
from rushes.noun import Reason
from rushes.packaging import first
from rushes.packaging.build import BuildError, build_documents
from rushes.packaging.captions import Captions, build_captions, wanted
from rushes.packaging.chunks import ChunkError, join_chunks, joined_in_time
from rushes.packaging.labels import family
from rushes.packaging.protect import protected
from rushes.packaging.single import in_single_files
from rushes.packaging.soundness import cuts
from rushes.packaging.sync import problem
from rushes.plan import Rung
from rushes.storage.types import content_type
from rushes.storage.workspace import Workspace
from rushes.tracks import Track

FIRST, GROW, END, READY, ENRICHED = "first", "grow", "end", "ready", "enriched"
CODECS, LAZY, REKEY = "codecs", "lazy", "rekey"


def run(job: Job, workspace: Workspace) -> PackageResult | Skipped:
    """Write the build `job.build` for the phase in the parameters. Raises StepFailure `verify_failed`."""
    phase = job.params.get("phase", READY)
    if phase == ENRICHED:
        return _enriched(job, workspace)
    if phase in (CODECS, LAZY):
        return _with_more(job, workspace)
    if phase == REKEY:
        return _rekeyed(job, workspace)
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
    return written.model_copy(update={**damage, "lazy": tuple(map(Rung.model_validate, job.params.get("lazy", ())))})


def _laid_out(job: Job, workspace: Workspace, tracks: list[Track]) -> list[Track]:
    """As the profile wants them to lie; a first look, which is soon replaced, stays in segments."""
    return in_single_files(tracks, job, workspace) if job.profile.outputs.layout == "single" else tracks


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
    """The build with captions and the storyboard, or with the one of them that there is."""
    base = _newest(job)
    if base is None:
        return _skipped("no_build", "There is no complete build that captions could be added to.")
    transcript = next((result for result in job.inputs.values() if isinstance(result, TranscriptResult)), None)
    boards = [result.track for result in job.inputs.values() if isinstance(result, StoryboardResult) and result.track]
    added = [*_captions(job, workspace, base, transcript), *boards]
    if not added:
        return _skipped("no_captions", _why_no_captions(transcript))
    names = {track.name for track in added}
    kept = [track for track in base.readable if track.name not in names]
    written = _write(job, workspace, [*kept, *added], complete=base.complete, known=base)
    return written.model_copy(update={**_damage([base]), "lazy": base.lazy})


def _captions(job: Job, workspace: Workspace, base: PackageResult, transcript: TranscriptResult | None) -> list[Track]:
    """Stored; none where the transcript is not good enough for the profile."""
    if transcript is None or not wanted(transcript, job.profile.enrichment.captions):
        return []
    captions = build_captions(transcript, _grid(base.tracks), output_prefix(job.asset, job.recipe, job.fence))
    _store(captions, workspace)
    return [captions.track]


def _newest(job: Job) -> PackageResult | None:
    """Of the builds that a step is given, the newest that is complete."""
    builds = [result for result in job.inputs.values() if isinstance(result, PackageResult) and result.complete]
    return max(builds, key=lambda result: result.build, default=None)


def _with_more(job: Job, workspace: Workspace) -> PackageResult | Skipped:
    """The newest build so far and, among its own pictures, further rungs and those of other codecs. One that is not whole is
    left out: what plays never becomes less."""
    base = _newest(job)
    if base is None:
        return _skipped("no_build", "There is no complete build that others could be added to.")
    encoded = [result for result in job.inputs.values() if isinstance(result, TracksResult) and not result.provisional]
    pieces = [track for result in replaced(encoded) for track in result.tracks]
    grid = cuts(_grid(base.tracks))
    added = [track for track in joined_in_time(pieces) if track.kind == "video" and cuts(track) == grid]
    if not added:
        return _skipped("no_codecs", "Nothing else was encoded to its end.")
    _check_shared_inits(pieces, workspace)
    names = {track.name for track in added}
    pictures = [track for track in base.readable if track.kind == "video" and track.name not in names]
    others = [track for track in base.readable if track.kind != "video"]
    tracks = [*_in_order([*pictures, *added]), *others]
    written = _write(job, workspace, tracks, complete=True, known=base)
    lazy = tuple(rung for rung in base.lazy if rung.name not in names)
    return written.model_copy(update={**_damage([base]), "lazy": lazy})  # what is added is as long, frame for frame


def _in_order(pictures: Sequence[Track]) -> list[Track]:
    """The codec that every device plays, then the others, HDR last; of each the largest first."""
    common = family(pictures[0])

    def place(track: Track) -> tuple[bool, bool, str, int, int]:
        return bool(track.hdr), family(track) != common, family(track), -(track.width or 0), -track.bytes

    return sorted(pictures, key=place)


def _why_no_captions(transcript: TranscriptResult | None) -> str:
    if transcript is None:
        return "There is no transcript."
    return "The transcript is not good enough for captions." if transcript.cues else "Nothing is said."


def _grid(tracks: Sequence[Track]) -> Track:
    return next((track for track in tracks if track.kind == "video"), tracks[0])


def _store(captions: Captions, workspace: Workspace) -> None:
    for name, data in captions.files.items():
        workspace.publish_bytes(captions.track.prefix + name, data, content_type(name))


def _rekeyed(job: Job, workspace: Workspace) -> PackageResult | Skipped:
    """The newest build once more, under the asset's newest key."""
    base = _newest(job)
    if base is None or not base.clear or not job.is_protected:
        return _skipped("no_build", "There is no protected build whose key could be changed.")
    written = _write(job, workspace, list(base.clear), complete=True, known=base)
    return written.model_copy(update={**_damage([base]), "lazy": base.lazy})


def _write(
    job: Job, workspace: Workspace, clear: list[Track], *, complete: bool, known: PackageResult | None = None
) -> PackageResult:
    """What of `clear` the build `known` has as players get it is not made again."""
    tracks = protected(job, workspace, clear, known)
    if complete:
        tracks = _laid_out(job, workspace, tracks)
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
    behind = tuple(clear) if job.is_protected else ()
    return PackageResult(build=job.build, tracks=tuple(tracks), complete=complete, bytes=total, clear=behind)


def _skipped(code: str, message: str) -> Skipped:
    return Skipped(reason=Reason(code=code, message=message))
