"""From a file that ffmpeg wrote to a Track in the store: the segments and their init, uploaded below the attempt's prefix."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from rushes.engine.job import Job
from rushes.errors import Blame, StepFailure
from rushes.isobmff.boxes import BoxError
from rushes.isobmff.movie import IDENTITY, Matrix, MovieTrack, read_movie
from rushes.isobmff.segmenter import CutTrack, Sift, cut
from rushes.storage.types import content_type
from rushes.storage.workspace import Workspace
from rushes.tracks import Segment, Track

INIT = "init.mp4"


@dataclass(frozen=True)
class Movie:
    """An MP4 file of ours, mapped into memory, and its tracks. Valid while `open_movie` is open."""

    data: mmap.mmap
    tracks: tuple[MovieTrack, ...]

    def first(self, handler: Literal["vide", "soun"]) -> MovieTrack | None:
        return next((track for track in self.tracks if track.handler == handler), None)

    def need(self, handler: Literal["vide", "soun"]) -> MovieTrack:
        """Like `first`, but raises StepFailure `verify_failed` if there is none."""
        track = self.first(handler)
        if track is None:
            raise StepFailure("verify_failed", Blame.TRANSIENT, detail=f"there is no {handler!r} track in the output")
        return track


@contextmanager
def open_movie(path: Path) -> Iterator[Movie]:
    """Raises StepFailure `verify_failed` if what ffmpeg wrote is not a readable movie."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield Movie(data, tuple(read_movie(data)))
    except (BoxError, ValueError, FileNotFoundError) as error:
        raise StepFailure("verify_failed", Blame.TRANSIENT, detail=f"{path.name}: {error}") from error


@dataclass(frozen=True)
class Delivery:
    """Where one attempt puts its tracks."""

    job: Job
    workspace: Workspace

    def publish(
        self,
        name: str,
        track: MovieTrack,
        data: mmap.mmap,
        starts: Sequence[int],
        **more: Any,  # noqa: ANN401 - fields of Track, validated by it
    ) -> Track:
        """Cut at `starts`, upload, describe. Raises BoxError where the cuts are impossible."""
        first_ticks = int(more.get("start_ticks", 0))
        matrix: Matrix = more.pop("matrix", IDENTITY)
        sift: Sift | None = more.pop("sift", None)
        reorder: int | None = more.pop("reorder", None)
        pieces = cut(track, data, starts, first_ticks=first_ticks, matrix=matrix, reorder=reorder)
        prefix = f"{self.job.clear_prefix}{name}/"
        segments: list[Segment] = []
        self.workspace.publish_all(_objects(prefix, replace(pieces, segments=pieces.segments.sifted(sift)), segments))
        return Track(
            name=name,
            kind="video" if track.handler == "vide" else "audio",
            prefix=prefix,
            init=INIT,
            init_size=len(pieces.init),
            codecs=pieces.codecs,
            timescale=pieces.timescale,
            segments=tuple(segments),
            **_shape(track, pieces),
            **more,
        )


def _objects(prefix: str, pieces: CutTrack, segments: list[Segment]) -> Iterator[tuple[str, bytes, str]]:
    """Key, bytes and type of all segments and the init; what is described of a segment goes to `segments`."""
    for number, piece in enumerate(pieces.segments, 1):
        name = f"{number:05d}.m4s"
        segments.append(Segment(name=name, ticks=piece.ticks, size=len(piece.data), keyframe_size=piece.keyframe_size))
        yield prefix + name, piece.data, content_type(name)
    yield prefix + INIT, pieces.init, content_type(INIT)


def _shape(track: MovieTrack, pieces: CutTrack) -> dict[str, int]:
    if track.handler == "vide":
        return {"width": pieces.width, "height": pieces.height}
    return {"channels": pieces.channels, "sample_rate": pieces.sample_rate}
