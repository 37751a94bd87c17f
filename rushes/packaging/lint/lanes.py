"""Lanes: what HLS playlists and DASH representations have in common, segments in their order. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from rushes.packaging.bitrate import average, peak
from rushes.packaging.lint.stream import Entry, Fragment, Init, Piece, Playlist, Ref, Representation, Stream

T = TypeVar("T")


@dataclass(frozen=True)
class Lane:
    where: str
    pieces: tuple[Piece, ...]
    source: Playlist | Representation

    @property
    def init(self) -> Ref | None:
        first = self.pieces[0].init if self.pieces else None
        return first or (self.source.init if isinstance(self.source, Representation) else None)

    @property
    def is_text(self) -> bool:
        return bool(self.pieces) and self.pieces[0].ref.uri.split("?")[0].endswith((".vtt", ".webvtt"))

    @property
    def is_images(self) -> bool:
        if isinstance(self.source, Playlist):
            return self.source.images_only or any(piece.tiles for piece in self.pieces)
        return self.source.mime.startswith("image/") or self.source.attributes.get("contentType") == "image"

    @property
    def is_iframes(self) -> bool:
        return isinstance(self.source, Playlist) and self.source.iframes_only

    @property
    def is_media(self) -> bool:
        """Sound, picture or captions in MP4, whole segments."""
        return not (self.is_text or self.is_images or self.is_iframes)

    @property
    def is_sealed(self) -> bool:
        """Whole files are encrypted, so nobody without a key looks into them."""
        return any(piece.key is not None and piece.key.method == "AES-128" for piece in self.pieces)


def lanes(stream: Stream) -> Iterator[Lane]:
    for playlist in stream.media:
        yield Lane(playlist.where, playlist.pieces, playlist)
    if stream.manifest:
        for one in stream.manifest.sets:
            yield from (Lane(member.where, member.pieces, member) for member in one.members)


def media_lanes(stream: Stream) -> list[Lane]:
    return [lane for lane in lanes(stream) if lane.is_media]


def spread(items: Sequence[T], most: int) -> list[T]:
    """Up to `most` of them, evenly, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    steps = max(1, most - 1)
    return [items[round(number * (len(items) - 1) / steps)] for number in range(most)]


def init_of(lane: Lane, stream: Stream) -> Init | None:
    """As it was read; None where there is none, or it could not be read."""
    found = stream.inits.get(lane.init) if lane.init else None
    return found if found and not found.error else None


def entry_of(lane: Lane, stream: Stream) -> Entry | None:
    init = init_of(lane, stream)
    return init.tracks[0] if init and init.tracks else None


def looked_into(lane: Lane, stream: Stream) -> Iterator[tuple[Piece, Fragment]]:
    """Those of its segments whose boxes were read and are those of MP4."""
    for piece in lane.pieces:
        found = stream.fragments.get(piece.ref)
        if found and not found.error and "moof" in found.kinds:
            yield piece, found


def size_of(ref: Ref, stream: Stream) -> int | None:
    return ref.length if ref.length is not None else stream.sizes.get(ref.uri)


def all_sizes(lane: Lane, stream: Stream) -> list[int] | None:
    """None where one is not known: then nothing can be reckoned."""
    found = [size_of(piece.ref, stream) for piece in lane.pieces]
    return None if not found or None in found else [size or 0 for size in found]


def lane_average(lane: Lane, stream: Stream) -> int | None:
    sizes = all_sizes(lane, stream)
    return None if sizes is None else average([piece.seconds for piece in lane.pieces], sizes)


def lane_peak(lane: Lane, stream: Stream, target: int) -> int | None:
    key = (lane.where, target)
    if key not in stream.reckoned:
        sizes = all_sizes(lane, stream)
        usable = sizes is not None and all(piece.seconds > 0 for piece in lane.pieces)
        stream.reckoned[key] = peak([piece.seconds for piece in lane.pieces], sizes or [], target) if usable else None
    return stream.reckoned[key]


def starts(lane: Lane) -> list[Fraction]:
    """When each segment begins, counted from the first."""
    found, at = [], Fraction(0)
    for piece in lane.pieces:
        found.append(at)
        at += piece.seconds
    return found
