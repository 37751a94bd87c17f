"""A delivered track as one local file again, for the steps that look at its pictures or listen to it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from rushes.model import PackageResult, Result, Track
from rushes.storage.store import ObjectStore


def footage(inputs: Iterable[Result]) -> tuple[Track, ...]:
    """The SDR video tracks of the complete build among a step's inputs; none if there is none."""
    build = next((result for result in inputs if isinstance(result, PackageResult) and result.complete), None)
    tracks = build.tracks if build else ()
    return tuple(track for track in tracks if track.kind == "video" and track.segments and not track.hdr)


def assemble(track: Track, store: ObjectStore, scratch: Path, first: int = 0, count: int | None = None) -> Path:
    """Join init and `count` media segments from number `first` (0-based) on into one fragmented MP4 in `scratch`.

    CMAF segments that follow their header are a valid file (ISO/IEC 23000-19 section 7.3.3); times inside stay those
    of the whole track. Raises ObjectMissing where a segment is gone, ValueError for a track without any.
    """
    segments = track.segments[first:] if count is None else track.segments[first : first + count]
    if track.init is None or not segments:
        raise ValueError(f"The track {track.name!r} has no segments to join from number {first} on.")
    path = scratch / f"{track.name}-{first}-{len(segments)}.mp4"
    with path.open("wb") as file:
        for name in chain([track.init], (segment.name for segment in segments)):
            with store.open(track.prefix + name) as part:
                shutil.copyfileobj(part, file, 1 << 20)
    return path
