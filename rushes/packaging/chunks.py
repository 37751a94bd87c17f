"""Chunks: tracks of one name that were encoded in pieces become one track. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from contextlib import suppress

from rushes.engine.quality import mean_vmaf
from rushes.tracks import Segment, Track


class ChunkError(ValueError):
    """The pieces do not make one track; the text says why."""


def join_chunks(pieces: Iterable[Sequence[Track]]) -> list[Track]:
    """Join tracks of the same name, chunk by chunk in the given order. Raises ChunkError.

    The prefix of a joined track is what its pieces have in common, so that prefix and name still make a key.
    """
    by_name: dict[str, list[Track]] = {}
    for chunk in pieces:
        for track in chunk:
            by_name.setdefault(track.name, []).append(track)
    return [_joined(parts) if len(parts) > 1 else parts[0] for parts in by_name.values()]


def _joined(parts: Sequence[Track]) -> Track:
    first = parts[0]
    expected = first.start_ticks
    for part in parts:
        if (part.codecs, part.timescale, part.width, part.height) != (
            first.codecs,
            first.timescale,
            first.width,
            first.height,
        ):
            raise ChunkError(f"the chunks of {first.name} have different formats")
        if part.start_ticks != expected:
            raise ChunkError(f"a chunk of {first.name} starts at {part.start_ticks} instead of {expected} ticks")
        expected += part.ticks
    prefix = posixpath.commonpath([part.prefix for part in parts]) + "/"
    init = posixpath.relpath(first.prefix + first.init, prefix) if first.init else None
    segments = tuple(_moved(segment, part.prefix, prefix) for part in parts for segment in part.segments)
    changed = {"prefix": prefix, "init": init, "segments": segments, "vmaf": mean_vmaf(parts)}
    return first.model_copy(update=changed)


def _moved(segment: Segment, old: str, new: str) -> Segment:
    return segment.model_copy(update={"name": posixpath.relpath(old + segment.name, new)})


def joined_in_time(pieces: Iterable[Track]) -> list[Track]:
    """Tracks of the same name joined by where they start, whatever order they come in; those with a gap are left out."""
    by_name: dict[str, list[Track]] = {}
    for track in sorted(pieces, key=lambda track: track.start_ticks):
        by_name.setdefault(track.name, []).append(track)
    whole = []
    for parts in by_name.values():
        with suppress(ChunkError):
            whole += join_chunks([[part] for part in parts])
    return whole
