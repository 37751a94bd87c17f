"""The step PACKAGE while a first look grows: the build by its first chunk, then one chunk more each time."""

from __future__ import annotations

from fractions import Fraction

from rushes.engine.job import Job
from rushes.errors import Blame, StepFailure
from rushes.keys import build_prefix, growing_prefix
from rushes.model import PackageResult, Skipped, TracksResult
from rushes.noun import Reason
from rushes.packaging.chunks import ChunkError, join_chunks
from rushes.packaging.growing import close, grow, growing_master, growing_playlists
from rushes.packaging.hls import MASTER
from rushes.packaging.playlist import playlist_name
from rushes.packaging.protect import protected
from rushes.storage.types import content_type
from rushes.storage.workspace import Workspace
from rushes.tracks import Track


def begin(job: Job, workspace: Workspace) -> PackageResult | Skipped:
    """The build `job.build`, of the first chunk and the whole sound. Params: `segment`, seconds; `bandwidth`, bits per second.

    Raises StepFailure `verify_failed`, StoreError.
    """
    clear = [track for result in _results(job) for track in result.tracks]
    if not any(track.kind == "video" for track in clear):
        return Skipped(reason=Reason(code="no_fast_lane", message="Nothing of the source could be shown in advance."))
    tracks = protected(job, workspace, clear)
    try:
        master = growing_master(job.asset, job.build, tracks, bandwidth=int(job.params["bandwidth"]))
    except ValueError as error:
        raise StepFailure("verify_failed", Blame.TRANSIENT, detail=str(error)) from error
    result = _write(job, workspace, (job.build, tracks, clear), over=False)
    workspace.publish_bytes(
        build_prefix(job.asset, job.build) + MASTER, master.encode(), content_type(MASTER)
    )  # last: it leads to the others
    return result


def go_on(job: Job, workspace: Workspace) -> PackageResult | Skipped:
    """The build that the step before made, with the next chunk. Params: as for `begin`, and `last`.

    Where the chunk is missing, or does not follow, the look ends with what there is: a player must not wait for ever.
    """
    before = next((result for result in job.inputs.values() if isinstance(result, PackageResult)), None)
    if before is None:
        return Skipped(reason=Reason(code="no_fast_lane", message="There is no first look that could go on."))
    more = [track for result in _results(job) for track in result.tracks if track.kind == "video"]
    tracks, clear, over = list(before.tracks), list(before.readable), bool(job.params.get("last"))
    try:
        _check_inits([*clear, *more], workspace)
        clear = _longer(clear, more)
        tracks = _longer(tracks, protected(job, workspace, more))
        over = over or not more
    except ChunkError:
        over = True
    return _write(job, workspace, (before.build, tracks, clear), over=over)


def _longer(tracks: list[Track], more: list[Track]) -> list[Track]:
    """Raises ChunkError."""
    picture = join_chunks([[track for track in tracks if track.kind == "video"], more])
    return [*picture, *(track for track in tracks if track.kind != "video")]


def end(job: Job, workspace: Workspace) -> PackageResult | Skipped:
    """Where what came before was cancelled or failed, the look ends with what there is; else it has ended already."""
    builds = [result for result in job.inputs.values() if isinstance(result, PackageResult)]
    if not builds:
        return Skipped(reason=Reason(code="no_fast_lane", message="There is no first look that could end."))
    last = max(builds, key=lambda result: result.bytes)
    for track in last.tracks:
        close(workspace.store, f"{growing_prefix(job.asset, last.build)}{playlist_name(track)}")
    return last


def _results(job: Job) -> list[TracksResult]:
    return [result for result in job.inputs.values() if isinstance(result, TracksResult)]


def _check_inits(tracks: list[Track], workspace: Workspace) -> None:
    """A player gets the first chunk's init segment only. Raises ChunkError."""
    inits = {workspace.store.read(track.prefix + (track.init or "")) for track in tracks if track.kind == "video"}
    if len(inits) > 1:
        raise ChunkError("the chunks of the first look need different init segments")


def _write(job: Job, workspace: Workspace, made: tuple[int, list[Track], list[Track]], *, over: bool) -> PackageResult:
    """`made`: the build's number, its tracks as players get them, and in the clear."""
    build, tracks, clear = made
    behind = tuple(clear) if job.is_protected else ()
    segment = Fraction(str(job.params["segment"]))
    for key, text in growing_playlists(job.asset, build, tracks, segment, over=over).items():
        grow(workspace.store, key, text)
    size = sum(track.bytes for track in tracks)
    return PackageResult(build=build, tracks=tuple(tracks), complete=False, bytes=size, growing=True, clear=behind)


def is_as_found(job: Job) -> bool:
    """Whether a copy of the source, if there is one, says of its picture what the probe, which decoded some of it, found."""
    copied, found = job.inputs.get("remux"), job.facts.video if job.facts else None
    if found is None or not isinstance(copied, TracksResult):
        return True
    return all(
        (track.width, track.height) == (found.width, found.height) for track in copied.tracks if track.kind == "video"
    )
