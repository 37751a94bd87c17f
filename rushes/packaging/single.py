"""The layout `single`: each track is one file that players read by byte ranges. Init segment, index, then the very bytes of the
segments; what is addressed by time otherwise is addressed by place here."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from rushes.engine.job import Job
from rushes.errors import Blame, StepFailure
from rushes.isobmff.boxes import BoxError
from rushes.isobmff.segment_index import segment_index
from rushes.keys import output_prefix
from rushes.storage.types import content_type
from rushes.storage.workspace import Workspace
from rushes.tracks import Track

NAME = "track.mp4"


def in_single_files(tracks: Sequence[Track], job: Job, workspace: Workspace) -> list[Track]:
    """The same tracks, sound and pictures that are not yet in one file stored so. Captions and sheets stay what they are.

    Some segments are in memory at a time, one track on the local disk. Raises StepFailure `verify_failed` where what lies in
    the store is not what the tracks say, ObjectMissing where it is gone.
    """
    return [_stored(track, job, workspace) if _is_in_pieces(track) else track for track in tracks]


def laid_out(track: Track, init_size: int, index: bytes) -> Track:
    """The track as a file of its init segment, `index` and its segments. Pure."""
    first = init_size + len(index)
    places = accumulate((segment.size for segment in track.segments), initial=first)
    segments = tuple(
        segment.model_copy(update={"name": NAME, "offset": at})
        for segment, at in zip(track.segments, places, strict=False)
    )
    return track.model_copy(
        update={"init": NAME, "init_size": init_size, "index_size": len(index), "segments": segments}
    )


def _is_in_pieces(track: Track) -> bool:
    """Segments that are encrypted whole stay apart: each is a chain of blocks of its own, and ffmpeg decrypts a range as a part
    of one that begins with the file."""
    whole = track.protection is not None and track.protection.scheme == "aes-128"
    return track.kind in ("video", "audio") and not track.in_one_file and not whole


def _stored(track: Track, job: Job, workspace: Workspace) -> Track:
    path = workspace.scratch / f"{track.name}.mp4"
    init = workspace.store.read(track.prefix + (track.init or ""))
    try:
        index = segment_index(
            track.timescale, track.start_ticks, [(piece.size, piece.ticks) for piece in track.segments]
        )
    except BoxError as error:
        raise StepFailure("verify_failed", Blame.TRANSIENT, detail=f"{track.name}: {error}") from error
    _write(track, init + index, path, workspace)
    prefix = f"{output_prefix(job.asset, job.recipe, job.fence)}{track.name}/"
    workspace.publish_file(prefix + NAME, path, content_type(NAME))
    path.unlink(missing_ok=True)  # a remote store leaves it, and the next track needs the room
    return laid_out(track, len(init), index).model_copy(update={"prefix": prefix})


def _write(track: Track, head: bytes, path: Path, workspace: Workspace) -> None:
    keys = [track.prefix + segment.name for segment in track.segments]
    with path.open("wb") as file:
        file.write(head)
        for number, data in enumerate(workspace.read_all(keys)):
            if len(data) != track.segments[number].size:
                raise StepFailure("verify_failed", Blame.TRANSIENT, detail=f"{keys[number]} has {len(data)} bytes")
            file.write(data)
            workspace.progress(0.9 * (number + 1) / len(keys))
