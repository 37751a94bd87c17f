"""A delivered track as one local file again, for the steps that look at its pictures or listen to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

from rushes.model import PackageResult, Result
from rushes.storage.store import ObjectStore, StoreError
from rushes.tracks import Segment, Track


def footage(inputs: Iterable[Result]) -> tuple[Track, ...]:
    """The SDR video tracks of the complete build among a step's inputs; none if there is none."""
    build = next((result for result in inputs if isinstance(result, PackageResult) and result.complete), None)
    tracks = build.readable if build else ()
    return tuple(track for track in tracks if track.kind == "video" and track.segments and not track.hdr)


def assemble(track: Track, store: ObjectStore, scratch: Path, first: int = 0, count: int | None = None) -> Path:
    """Join init and `count` media segments from number `first` (0-based) on into one fragmented MP4 in `scratch`.

    CMAF segments that follow their header are a valid file (ISO/IEC 23000-19 section 7.3.3); times inside stay those
    of the whole track. An index, which would not fit a part, is left out. Raises ObjectMissing where a segment is gone,
    ValueError for a track without any.
    """
    segments = track.segments[first:] if count is None else track.segments[first : first + count]
    if track.init is None or not segments:
        raise ValueError(f"The track {track.name!r} has no segments to join from number {first} on.")
    path = scratch / f"{track.name}-{first}-{len(segments)}.mp4"
    with path.open("wb") as file:
        for key, start, size in _pieces(track, segments):
            _copy(store, (key, start, size), file)
    return path


def _pieces(track: Track, segments: Sequence[Segment]) -> list[tuple[str, int, int | None]]:
    """Key, first byte and number of bytes, None for all there are. Neighbours in one file are one piece."""
    if not track.in_one_file:
        return [(track.prefix + name, 0, None) for name in (track.init or "", *(one.name for one in segments))]
    key, head = track.prefix + (track.init or ""), track.init_size
    pieces: list[tuple[str, int, int | None]] = [(key, 0, head)]
    for segment in segments:
        last, begin, size = pieces[-1]
        place = (track.prefix + segment.name, segment.offset or 0)
        if (last, begin + (size or 0)) == place:
            pieces[-1] = (last, begin, (size or 0) + segment.size)
        else:
            pieces.append((*place, segment.size))
    return pieces


def _copy(store: ObjectStore, piece: tuple[str, int, int | None], file: BinaryIO) -> None:
    """Raises StoreError for an object that is shorter than that."""
    key, start, size = piece
    fetched = store.fetch(key, start, None if size is None else start + size)
    with fetched.stream as stream:
        left = fetched.info.size - start if size is None else size
        while left > 0:
            data = stream.read(min(left, 1 << 20))
            if not data:
                raise StoreError(f"{key} ends {left} bytes too early")
            left -= len(data)
            file.write(data)
