"""The step DOWNLOAD: one progressive MP4 with the bytes of the best rung that everything plays, and of its sound."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from rushes.engine.job import Job
from rushes.isobmff.movie import read_movie
from rushes.isobmff.progressive import Source, progressive
from rushes.keys import artifact_prefix
from rushes.model import DownloadResult, PackageResult, Skipped
from rushes.noun import Reason
from rushes.packaging.labels import default_track, display_size, family
from rushes.storage.rendition import assemble
from rushes.storage.types import content_type
from rushes.storage.workspace import Workspace
from rushes.tracks import Track

NAME = "video.mp4"


def run(job: Job, workspace: Workspace) -> DownloadResult | Skipped:
    """Takes the tracks of the complete build. Skipped where it has no picture that plays everywhere."""
    build = next(
        (result for result in job.inputs.values() if isinstance(result, PackageResult) and result.complete), None
    )
    tracks = chosen(build.readable if build else (), job.profile.outputs.mp4)
    if not tracks:
        return Skipped(reason=Reason(code="no_build", message="There is no H.264 rendition to make a file of."))
    path = workspace.scratch / NAME
    _write(tracks, workspace, path)
    key = artifact_prefix(job.asset, job.recipe, job.fence) + NAME
    info = workspace.publish_file(key, path, content_type(NAME))
    width, height = display_size(tracks[0])
    return DownloadResult(
        key=key, size=info.size, width=width, height=height, tracks=tuple(track.name for track in tracks)
    )


def chosen(tracks: Sequence[Track], most: int) -> list[Track]:
    """The best H.264 picture of at most `most` on its short side, else the smallest; and the leading AAC sound. Pure."""
    pictures = sorted(
        (track for track in tracks if track.kind == "video" and family(track) == "avc1" and not track.hdr),
        key=lambda track: min(display_size(track)),
    )
    if not pictures:
        return []
    small = [track for track in pictures if min(display_size(track)) <= most]
    sound = default_track([track for track in tracks if track.kind == "audio" and family(track) == "mp4a"])
    return [small[-1] if small else pictures[0], *([sound] if sound else [])]


def _write(tracks: Sequence[Track], workspace: Workspace, path: Path) -> None:
    with ExitStack() as stack, path.open("wb") as out:
        sources = []
        for track in tracks:
            file = stack.enter_context(assemble(track, workspace.store, workspace.scratch).open("rb"))
            data = stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            sources.append(Source(read_movie(data)[0], data))
            workspace.progress(0.4 * len(sources) / len(tracks))
        for piece in progressive(sources):
            out.write(piece)
