"""Rules for every m3u8 file: what it is made of (RFC 8216bis sections 4.1 to 4.4.3)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

from rushes.packaging.lint.m3u8 import addresses
from rushes.packaging.lint.numbers import is_relative, whole
from rushes.packaging.lint.rule import MUST, SHOULD, Fault, rule
from rushes.packaging.lint.stream import Playlist, Ref, Stream

_MEDIA_TAGS = (
    "EXTINF", "EXT-X-TARGETDURATION", "EXT-X-MEDIA-SEQUENCE", "EXT-X-ENDLIST", "EXT-X-PLAYLIST-TYPE", "EXT-X-I-FRAMES-ONLY",
    "EXT-X-MAP", "EXT-X-BYTERANGE", "EXT-X-DISCONTINUITY", "EXT-X-DISCONTINUITY-SEQUENCE",
)  # fmt: skip
_ONCE = (
    "EXTM3U", "EXT-X-VERSION", "EXT-X-TARGETDURATION", "EXT-X-MEDIA-SEQUENCE", "EXT-X-ENDLIST", "EXT-X-PLAYLIST-TYPE",
    "EXT-X-START", "EXT-X-INDEPENDENT-SEGMENTS", "EXT-X-DISCONTINUITY-SEQUENCE", "EXT-X-I-FRAMES-ONLY",
)  # fmt: skip
_HALF = Fraction(1, 2)


def every(stream: Stream) -> list[Playlist]:
    return list(stream.playlists.values())


def media(stream: Stream) -> list[Playlist]:
    return stream.media


@rule("hls.reachable", MUST, "RFC 8216bis 6.2.1", lambda stream: [stream] if stream.playlists or stream.missing else [])
def reachable(stream: Stream, _: Stream) -> Iterator[Fault]:
    """Every manifest that is named is there."""
    for found in stream.missing:
        yield Fault(found.partition(": ")[0], found.partition(": ")[2], "a manifest")


@rule("hls.extm3u", MUST, "RFC 8216bis 4.4.1.1", every)
def extm3u(playlist: Playlist, _: Stream) -> Iterator[Fault]:
    """A playlist begins with #EXTM3U."""
    first = playlist.text.split("\n", 1)[0].strip()
    if first != "#EXTM3U":
        yield Fault(playlist.where, repr(first[:40]), "#EXTM3U")


@rule("hls.syntax", MUST, "RFC 8216bis 4.1, 4.2", every)
def syntax(playlist: Playlist, _: Stream) -> Iterator[Fault]:
    """A playlist is UTF-8 without a byte order mark, and all of it can be read."""
    for flaw in playlist.flaws:
        yield Fault(playlist.where, flaw, "what section 4 describes")


@rule("hls.attributes", MUST, "RFC 8216bis 4.2", every)
def attributes(playlist: Playlist, _: Stream) -> Iterator[Fault]:
    """An attribute stands once in its list."""
    for tag in playlist.tags:
        for name in tag.doubles:
            yield Fault(f"{playlist.where} line {tag.line}", f"{name} twice", "once")


@rule("hls.tags-once", MUST, "RFC 8216bis 4.4", every)
def tags_once(playlist: Playlist, _: Stream) -> Iterator[Fault]:
    """Tags of the whole playlist stand in it once."""
    names = [tag.name for tag in playlist.tags if tag.name in _ONCE]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Fault(playlist.where, f"{name} {names.count(name)} times", "once")


@rule("hls.mixed", MUST, "RFC 8216bis 4.1", every)
def mixed(playlist: Playlist, _: Stream) -> Iterator[Fault]:
    """A playlist is multivariant or media, never both."""
    wrong = sorted({tag.name for tag in playlist.tags if tag.name in _MEDIA_TAGS})
    if playlist.is_multivariant and wrong:
        yield Fault(playlist.where, ", ".join(wrong), "no tags of media playlists")


@rule("hls.version", MUST, "RFC 8216bis 8", every)
def version(playlist: Playlist, _: Stream) -> Iterator[Fault]:
    """EXT-X-VERSION is at least what the tags of the playlist need."""
    tag = playlist.first("EXT-X-VERSION")
    said, needed = (whole(tag.value) or 0) if tag else 1, _needed(playlist)
    if said < needed:
        yield Fault(playlist.where, f"version {said}", f"{needed} or more")


def _needed(playlist: Playlist) -> int:
    found = 1
    keys = [tag.attributes for tag in playlist.all("EXT-X-KEY")]
    if any("IV" in key for key in keys):
        found = 2
    if any("." in tag.value.split(",")[0] for tag in playlist.all("EXTINF")):
        found = 3
    if playlist.first("EXT-X-BYTERANGE") or playlist.iframes_only:
        found = 4
    if any("KEYFORMAT" in key for key in keys) or (playlist.first("EXT-X-MAP") and playlist.iframes_only):
        found = 5
    if playlist.first("EXT-X-MAP") and not playlist.iframes_only:
        found = 6
    return found


@rule("hls.relative", SHOULD, "RFC 8216bis 4.1; what CDNs and takedowns need", every)
def relative(playlist: Playlist, _: Stream) -> Iterator[Fault]:
    """Addresses are relative, so that a stream can be moved, signed and served from several hosts."""
    for where, uri in addresses(playlist):
        if not is_relative(uri) and not uri.startswith(("data:", "skd:", "urn:")):
            yield Fault(where, uri, "a relative address")


@rule("hls.target-duration", MUST, "RFC 8216bis 4.4.3.1", media)
def target_duration(playlist: Playlist, _: Stream) -> Iterator[Fault]:
    """There is a target duration, and no segment's rounded length exceeds it."""
    if not playlist.target:
        yield Fault(playlist.where, "none that can be read", "EXT-X-TARGETDURATION")
        return
    for piece in playlist.pieces:
        if int(piece.seconds + _HALF) > playlist.target and not playlist.images_only:
            yield Fault(piece.where, f"{float(piece.seconds):.3f} s", f"at most {playlist.target} s, rounded")


@rule("hls.segments", MUST, "RFC 8216bis 4.4.4.1", media)
def segments(playlist: Playlist, stream: Stream) -> Iterator[Fault]:
    """A media playlist has segments, each longer than nothing."""
    if not playlist.pieces and not stream.growing:
        yield Fault(playlist.where, "no segments", "at least one")
    for piece in playlist.pieces:
        if piece.seconds <= 0:
            yield Fault(piece.where, "0 s", "longer than nothing")


@rule("hls.endlist", MUST, "RFC 8216bis 4.4.3.4, 6.2.1", media)
def endlist(playlist: Playlist, stream: Stream) -> Iterator[Fault]:
    """What is complete has EXT-X-ENDLIST; without it players wait for more."""
    tag = playlist.first("EXT-X-PLAYLIST-TYPE")
    others = any(one.ended for one in stream.media)
    if not playlist.ended and not stream.growing and (others or (tag is not None and tag.value == "VOD")):
        yield Fault(
            playlist.where, "no EXT-X-ENDLIST", "EXT-X-ENDLIST, as in the others" if others else "EXT-X-ENDLIST"
        )


@rule("hls.playlist-type", SHOULD, "Apple HLS Authoring Specification, Media Playlists; RFC 8216bis 4.4.3.5", media)
def playlist_type(playlist: Playlist, _: Stream) -> Iterator[Fault]:
    """What has an end says its EXT-X-PLAYLIST-TYPE."""
    if playlist.ended and playlist.first("EXT-X-PLAYLIST-TYPE") is None:
        yield Fault(playlist.where, "no EXT-X-PLAYLIST-TYPE", "VOD or EVENT")


@rule("hls.playlist-type-value", MUST, "RFC 8216bis 4.4.3.5", media)
def playlist_type_value(playlist: Playlist, _: Stream) -> Iterator[Fault]:
    """EXT-X-PLAYLIST-TYPE is VOD or EVENT."""
    tag = playlist.first("EXT-X-PLAYLIST-TYPE")
    if tag and tag.value not in ("VOD", "EVENT"):
        yield Fault(playlist.where, tag.value, "VOD or EVENT")


@rule("hls.media-sequence", MUST, "RFC 8216bis 4.4.3.2", media)
def media_sequence(playlist: Playlist, _: Stream) -> Iterator[Fault]:
    """EXT-X-MEDIA-SEQUENCE is a number and comes before the first segment."""
    tag, first = playlist.first("EXT-X-MEDIA-SEQUENCE"), playlist.first("EXTINF")
    if tag and whole(tag.value.strip()) is None:
        yield Fault(playlist.where, tag.value, "a number")
    if tag and first and tag.line > first.line:
        yield Fault(playlist.where, f"in line {tag.line}", f"before line {first.line}")


@rule("hls.independent", SHOULD, "RFC 8216bis 4.4.2.1; Apple HLS Authoring Specification, Media Segmentation", media)
def independent(playlist: Playlist, stream: Stream) -> Iterator[Fault]:
    """EXT-X-INDEPENDENT-SEGMENTS says that each segment can be decoded by itself."""
    master = stream.master
    said = playlist.first("EXT-X-INDEPENDENT-SEGMENTS") or (master and master.first("EXT-X-INDEPENDENT-SEGMENTS"))
    if not said and not playlist.images_only:
        yield Fault(playlist.where, "not said", "EXT-X-INDEPENDENT-SEGMENTS")


@rule("hls.map", MUST, "RFC 8216bis 3.1.2, 4.4.4.5", media)
def has_map(playlist: Playlist, stream: Stream) -> Iterator[Fault]:
    """Segments of MP4 have an EXT-X-MAP, and its bytes are there."""
    for piece in playlist.pieces:
        found = stream.fragments.get(piece.ref)
        if found and "moof" in found.kinds and piece.init is None:
            yield Fault(piece.where, "no EXT-X-MAP", "the init segment's address")


@rule("hls.map-change", MUST, "RFC 8216bis 4.4.4.3", media)
def map_change(playlist: Playlist, stream: Stream) -> Iterator[Fault]:
    """Another encoding begins with EXT-X-DISCONTINUITY: within one, all segments have the same init segment."""
    for before, piece in pairwise(playlist.pieces):
        if piece.init != before.init and not piece.discontinuity and _differ(before.init, piece.init, stream):
            yield Fault(piece.where, "another EXT-X-MAP", "EXT-X-DISCONTINUITY before it")


def _differ(one: Ref | None, other: Ref | None, stream: Stream) -> bool:
    first, second = (stream.inits.get(ref) if ref else None for ref in (one, other))
    return not (first and second and first.digest == second.digest)


@rule("hls.byterange", MUST, "RFC 8216bis 4.4.4.2", media)
def byterange(playlist: Playlist, stream: Stream) -> Iterator[Fault]:
    """A byte range lies within its file."""
    for piece in playlist.pieces:
        size, ref = stream.sizes.get(piece.ref.uri), piece.ref
        if ref.length is not None and size is not None and (not ref.length or ref.start + ref.length > size):
            yield Fault(piece.where, f"bytes {ref.start} to {ref.start + ref.length}", f"within {size}")


RULES = (
    reachable, extm3u, syntax, attributes, tags_once, mixed, version, relative, target_duration, segments, endlist,
    playlist_type, playlist_type_value, media_sequence, independent, has_map, map_change, byterange,
)  # fmt: skip
