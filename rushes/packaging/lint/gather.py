"""Looks at all of a stream, through a `Reach`, within bounds: what is left out is noted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TypeVar
from urllib.parse import urlsplit

from rushes.isobmff.fragments import Defaults
from rushes.packaging.lint import m3u8, mpd
from rushes.packaging.lint.boxes import HEAD, MOST_INIT, read_fragment_of, read_index, read_init, read_jpeg
from rushes.packaging.lint.lanes import Lane, lanes, size_of, spread
from rushes.packaging.lint.numbers import address
from rushes.packaging.lint.reach import Reach, Unreachable
from rushes.packaging.lint.stream import Fragment, Index, Init, Manifest, Piece, Playlist, Ref, Representation, Stream

MOST_PLAYLISTS = 400
MOST_TEXT_PIECE = 2**20
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Depth:
    """How much is looked at: sizes of so many segments in all, boxes of so many of each lane. `few`: a lane of so many
    segments or fewer is looked into whole."""

    sizes: int = 4000
    boxes: int = 8
    few: int = 16
    every: bool = False
    """All boxes."""


QUICK = Depth(sizes=60, boxes=2, few=2)
USUAL = Depth()
DEEP = Depth(sizes=200_000, every=True)
Watch = Callable[[float], None]


@dataclass
class _Gatherer:
    reach: Reach
    depth: Depth
    watch: Watch
    notes: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    defaults: dict[Ref, dict[int, Defaults]] = field(default_factory=dict)

    def each(self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """In order; several at a time where that is of use."""
        listed = list(items)
        if self.reach.at_once < 2 or len(listed) < 2:
            return [work(item) for item in listed]
        with ThreadPoolExecutor(self.reach.at_once) as pool:
            return list(pool.map(work, listed))

    def text(self, uri: str) -> bytes | None:
        try:
            return self.reach.read(uri)
        except Unreachable as error:
            self.missing.append(f"{uri}: {error}")
            return None


def gather(
    entries: Iterable[str], reach: Reach, depth: Depth = USUAL, *, growing: bool = False, watch: Watch = lambda _: None
) -> Stream:
    """The stream that begins with the manifests at `entries`, absolute addresses. `watch` is told 0..1. Raises Unreachable
    where none of them can be had."""
    work = _Gatherer(reach, depth, watch)
    entry = list(entries)
    texts = {uri: data for uri, data in zip(entry, work.each(work.text, entry), strict=True) if data is not None}
    if not texts:
        raise Unreachable("; ".join(work.missing) or "there is no manifest")
    base = entry[0].rpartition("/")[0] + "/"
    playlists, manifest = _manifests(work, texts, base)
    stream = Stream(playlists, manifest, growing=growing)
    watch(0.1)
    stream = _with_indexes(work, stream)
    stream = replace(stream, sizes=_sizes(work, stream))
    watch(0.5)
    stream = replace(stream, inits=_inits(work, stream))
    stream = _with_segments(work, stream)
    watch(1.0)
    told = stream.manifest.notes if stream.manifest else ()
    return replace(stream, notes=(*work.notes, *told), missing=tuple(work.missing))


def _where(uri: str, base: str) -> str:
    """Short, as a person calls it."""
    return (
        uri.removeprefix(base).split("?")[0] if uri.startswith(base) else "/".join(urlsplit(uri).path.split("/")[-3:])
    )


def _manifests(work: _Gatherer, texts: dict[str, bytes], base: str) -> tuple[dict[str, Playlist], Manifest | None]:
    playlists: dict[str, Playlist] = {}
    manifest = None
    for uri, data in texts.items():
        if data.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
            manifest = manifest or mpd.parse(uri, _where(uri, base), data)
        else:
            playlists[uri] = m3u8.parse(uri, _where(uri, base), data)
    for master in list(playlists.values()):
        named = [uri for uri in dict.fromkeys(_named(master)) if uri and uri not in playlists]
        if len(named) > MOST_PLAYLISTS:
            work.notes.append(f"{len(named)} playlists are named; {MOST_PLAYLISTS} are looked at")
        asked = named[:MOST_PLAYLISTS]
        for uri, found in zip(asked, work.each(work.text, asked), strict=True):
            if found is not None:
                playlists[uri] = m3u8.parse(uri, _where(uri, base), found)
    return playlists, manifest


def _named(master: Playlist) -> Iterable[str]:
    for tag in master.tags:
        if tag.name == "EXT-X-STREAM-INF" and tag.uri:
            yield address(master.uri, tag.uri)
        elif (
            tag.name in ("EXT-X-MEDIA", "EXT-X-I-FRAME-STREAM-INF", "EXT-X-IMAGE-STREAM-INF")
            and "URI" in tag.attributes
        ):
            yield address(master.uri, m3u8.plain(tag.attributes["URI"]))


def _with_indexes(work: _Gatherer, stream: Stream) -> Stream:
    """Segments of what has a segment index (`sidx`) instead of a list."""
    if stream.manifest is None:
        return stream
    refs = [one.index for each in stream.manifest.sets for one in each.members if one.index]
    found = {}
    for ref, data in zip(refs, work.each(lambda ref: _bytes(work, ref, MOST_INIT), refs), strict=True):
        found[ref] = read_index(ref, data)
    sets = tuple(
        replace(each, members=tuple(_indexed(one, found) for one in each.members)) for each in stream.manifest.sets
    )
    return replace(stream, indexes=found, manifest=replace(stream.manifest, sets=sets))


def _indexed(one: Representation, indexes: dict[Ref, Index]) -> Representation:
    index = indexes.get(one.index) if one.index else None
    if index is None or index.error or not index.timescale:
        return one
    pieces, at, ticks = [], index.first, index.start
    for number, (size, length) in enumerate(zip(index.sizes, index.ticks, strict=True)):
        ref = Ref(index.ref.uri, at, size)
        where = f"{one.where} segment {number} ({ref.name})"
        pieces.append(Piece(ref, Fraction(length, index.timescale), where, one.init, ticks=ticks))
        at, ticks = at + size, ticks + length
    return replace(one, pieces=tuple(pieces), timescale=index.timescale)


def _bytes(work: _Gatherer, ref: Ref, most: int) -> bytes:
    try:
        return work.reach.read(ref.uri, ref.start, min(most, ref.length if ref.length is not None else most))
    except Unreachable:
        return b""


def _sizes(work: _Gatherer, stream: Stream) -> dict[str, int | None]:
    """Of all segments and init segments, or of some of each lane where there are too many."""
    found = list(lanes(stream))
    every = {piece.ref.uri for lane in found for piece in lane.pieces}
    if len(every) > work.depth.sizes:
        most = max(2, work.depth.sizes // max(1, len(found)))
        every = {piece.ref.uri for lane in found for piece in spread(lane.pieces, most)}
        work.notes.append(f"sizes of {len(every)} segments were looked at, not of all")
    inits = {ref.uri for lane in found for ref in _inits_of(lane)}
    return work.reach.sizes(sorted(every | inits))


def _inits_of(lane: Lane) -> set[Ref]:
    return {ref for ref in (lane.init, *(piece.init for piece in lane.pieces)) if ref is not None}


def _inits(work: _Gatherer, stream: Stream) -> dict[Ref, Init]:
    refs = sorted({ref for lane in lanes(stream) for ref in _inits_of(lane)}, key=lambda ref: (ref.uri, ref.start))
    sealed = {ref for lane in lanes(stream) if lane.is_sealed for ref in _inits_of(lane)}
    found = {}
    for ref, data in zip(refs, work.each(lambda ref: _bytes(work, ref, MOST_INIT), refs), strict=True):
        init, defaults = read_init(ref, data)
        if init.error and ref in sealed:
            continue
        found[ref], work.defaults[ref] = init, defaults
    return found


def _with_segments(work: _Gatherer, stream: Stream) -> Stream:
    chosen = [(lane, piece) for lane in lanes(stream) for piece in _chosen(lane, work.depth)]
    there = [(lane, piece) for lane, piece in chosen if _is_there(piece, stream)]
    texts = {piece.ref for lane, piece in there if lane.is_text and not lane.is_sealed}
    images = {piece.ref for lane, piece in there if lane.is_images and not lane.is_sealed}
    boxed = {piece.ref: piece for lane, piece in there if not (lane.is_text or lane.is_images or lane.is_sealed)}
    fragments = work.each(lambda piece: _fragment(work, piece, stream), boxed.values())
    read = work.each(lambda ref: _bytes(work, ref, MOST_TEXT_PIECE).decode("utf-8", "replace"), texts)
    shown = work.each(lambda ref: read_jpeg(_bytes(work, ref, HEAD)), images)
    return replace(
        stream,
        fragments=dict(zip(boxed, fragments, strict=True)),
        texts=dict(zip(texts, read, strict=True)),
        pictures=dict(zip(images, shown, strict=True)),
    )


def _is_there(piece: Piece, stream: Stream) -> bool:
    return bool(size_of(piece.ref, stream)) and stream.sizes.get(piece.ref.uri, 1) is not None


def _chosen(lane: Lane, depth: Depth) -> list[Piece]:
    whole = depth.every or len(lane.pieces) <= depth.few
    return list(lane.pieces) if whole else spread(lane.pieces, depth.boxes)


def _fragment(work: _Gatherer, piece: Piece, stream: Stream) -> Fragment:
    size = size_of(piece.ref, stream) or 0
    there = stream.sizes.get(piece.ref.uri)
    if there is not None:
        size = min(size, max(0, there - piece.ref.start))

    def fetch(start: int, length: int) -> bytes:
        wanted = max(0, min(length, size - start))
        try:
            return work.reach.read(piece.ref.uri, piece.ref.start + start, wanted) if wanted else b""
        except Unreachable:
            return b""

    known = work.defaults.get(piece.init, {}) if piece.init else {}
    return read_fragment_of(piece.ref, fetch, size, known)
