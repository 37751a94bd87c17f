"""Rules for trick play and captions: I-frame playlists, tiles of pictures, WebVTT segments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from rushes.packaging.lint.lanes import Lane, entry_of, lanes, looked_into, starts
from rushes.packaging.lint.numbers import decimal, size, whole
from rushes.packaging.lint.rule import MUST, SHOULD, Fault, rule
from rushes.packaging.lint.stream import Piece, Playlist, Representation, Stream
from rushes.packaging.lint.variants import Variant, image_variants

_TILES = "Image Media Playlist 0.4 (Roku, Disney, WarnerMedia)"
_THUMBNAILS = "DASH-IF IOP 6.2.6, thumbnail_tile"
_SCHEMES = ("http://dashif.org/guidelines/thumbnail_tile", "http://dashif.org/thumbnail_tile")
_STAMP = re.compile(r"^(?:(\d{2,}):)?([0-5]\d):([0-5]\d)\.(\d{3})$")
_MAP = re.compile(r"^X-TIMESTAMP-MAP=(.*)$", re.MULTILINE)
_CUE = re.compile(r"^(\S+)[ \t]+-->[ \t]+(\S+)", re.MULTILINE)
_MPEG = 90_000


def iframe_lanes(stream: Stream) -> list[Lane]:
    return [lane for lane in lanes(stream) if lane.is_iframes]


def image_lanes(stream: Stream) -> list[Lane]:
    return [lane for lane in lanes(stream) if lane.is_images]


def text_lanes(stream: Stream) -> list[Lane]:
    return [lane for lane in lanes(stream) if lane.is_text]


@rule("hls.iframe-range", MUST, "RFC 8216bis 4.4.3.6, EXT-X-I-FRAMES-ONLY", iframe_lanes)
def iframe_range(lane: Lane, stream: Stream) -> Iterator[Fault]:
    """Each range of an I-frame playlist holds an I-frame, whole: the boxes before it and all of its first sample."""
    for piece in lane.pieces:
        found = stream.fragments.get(piece.ref)
        if found is None or found.kinds == ("mpeg-ts",):
            continue
        if found.error or "moof" not in found.kinds:
            yield Fault(piece.where, found.error or " ".join(found.kinds), "moof, and the start of mdat")
        elif not found.sync:
            yield Fault(piece.where, "its first sample is no sync sample", "an I-frame")
        elif piece.ref.length is not None and found.first_end > piece.ref.length:
            yield Fault(piece.where, f"{piece.ref.length} bytes", f"{found.first_end}, to the end of the picture")


@rule("hls.iframe-exact", SHOULD, "RFC 8216bis 4.4.3.6", iframe_lanes)
def iframe_exact(lane: Lane, stream: Stream) -> Iterator[Fault]:
    """A range of an I-frame playlist ends with its picture."""
    for piece, found in looked_into(lane, stream):
        if piece.ref.length and found.first_end and piece.ref.length > 2 * found.first_end + 4096:
            yield Fault(piece.where, f"{piece.ref.length} bytes", f"{found.first_end}")


@rule("hls.iframe-length", SHOULD, "RFC 8216bis 4.4.3.6: an I-frame's duration reaches to the next", iframe_lanes)
def iframe_length(lane: Lane, stream: Stream) -> Iterator[Fault]:
    """An I-frame playlist is as long as the picture."""
    pictures = [one for one in stream.media if one.pieces and not one.iframes_only and not one.images_only]
    whole_length = max((one.seconds for one in pictures), default=Fraction(0))
    mine, target = (
        sum((piece.seconds for piece in lane.pieces), Fraction(0)),
        max((one.target for one in pictures), default=0),
    )
    if whole_length and abs(whole_length - mine) > max(2, target):
        yield Fault(lane.where, f"{float(mine):.1f} s", f"{float(whole_length):.1f} s")


@rule("image.variant", MUST, f"{_TILES}, EXT-X-IMAGE-STREAM-INF", image_variants)
def image_variant(variant: Variant, stream: Stream) -> Iterator[Fault]:
    """An image playlist is announced with BANDWIDTH, RESOLUTION and CODECS, and it is one."""
    if not whole(variant.get("BANDWIDTH")) or not size(variant.get("RESOLUTION")):
        yield Fault(variant.where, "no BANDWIDTH or no RESOLUTION", "both")
    found = stream.playlists.get(variant.uri)
    if found and not found.images_only:
        yield Fault(variant.where, "no EXT-X-IMAGES-ONLY", "an image playlist")


@rule("image.tiles", MUST, f"{_TILES}, EXT-X-TILES", image_lanes)
def tiles(lane: Lane, stream: Stream) -> Iterator[Fault]:
    """Tiles have a size, a layout and a duration that do not exceed their sheet's."""
    for piece in lane.pieces if isinstance(lane.source, Playlist) else ():
        said = piece.tiles or {}
        layout, length = size(said.get("LAYOUT")), decimal(said.get("DURATION"))
        if not size(said.get("RESOLUTION")) or not layout or not length:
            yield Fault(piece.where, "no EXT-X-TILES with RESOLUTION, LAYOUT and DURATION", "all three")
        elif piece.seconds > layout[0] * layout[1] * length + Fraction(1, 10):
            yield Fault(
                piece.where, f"{float(piece.seconds):.3f} s", f"{layout[0]}x{layout[1]} tiles of {float(length):.3f} s"
            )


@rule("image.size", MUST, f"{_TILES}, RESOLUTION and LAYOUT; {_THUMBNAILS}", image_lanes)
def image_size(lane: Lane, stream: Stream) -> Iterator[Fault]:
    """A sheet is as large as its tiles together."""
    for piece in lane.pieces:
        picture, wanted = stream.pictures.get(piece.ref), _sheet(lane, piece)
        if picture is None or wanted is None:
            continue
        if picture.error:
            yield Fault(piece.where, picture.error, "a picture")
        elif (picture.width, picture.height) != wanted:
            yield Fault(piece.where, f"{picture.width}x{picture.height}", f"{wanted[0]}x{wanted[1]}")


def _sheet(lane: Lane, piece: Piece) -> tuple[int, int] | None:
    if isinstance(lane.source, Representation):
        own = lane.source.attributes
        width, height = whole(own.get("width")), whole(own.get("height"))
        return (width, height) if width and height else None
    tile, layout = size((piece.tiles or {}).get("RESOLUTION")), size((piece.tiles or {}).get("LAYOUT"))
    return (tile[0] * layout[0], tile[1] * layout[1]) if tile and layout else None


@rule("dash.thumbnails", MUST, _THUMBNAILS, image_lanes)
def thumbnails(lane: Lane, _: Stream) -> Iterator[Fault]:
    """A set of thumbnails says its layout, and its sheets' sizes are whole multiples of it."""
    if not isinstance(lane.source, Representation):
        return
    said = next((one.get("value", "") for one in lane.source.properties if one.get("schemeIdUri") in _SCHEMES), None)
    layout, wanted = size(said), _sheet(lane, lane.pieces[0]) if lane.pieces else None
    if not layout:
        yield Fault(lane.where, said or "no thumbnail_tile", "columns x rows")
    elif wanted and (wanted[0] % layout[0] or wanted[1] % layout[1]):
        yield Fault(lane.where, f"{wanted[0]}x{wanted[1]}", f"a multiple of {layout[0]}x{layout[1]}")


@rule("text.header", MUST, "RFC 8216bis 3.1.4; WebVTT 4.1", text_lanes)
def header(lane: Lane, stream: Stream) -> Iterator[Fault]:
    """A segment of captions begins with WEBVTT."""
    for piece in lane.pieces:
        text = stream.texts.get(piece.ref)
        if text is not None and not re.match(r"^\ufeff?WEBVTT([ \t\r\n]|$)", text):
            yield Fault(piece.where, repr(text[:20]), "WEBVTT")


@rule("text.timestamp-map", SHOULD, "RFC 8216bis 3.1.4", text_lanes)
def timestamp_map(lane: Lane, stream: Stream) -> Iterator[Fault]:
    """A segment of captions has X-TIMESTAMP-MAP, which says where its times lie among those of the media."""
    for piece in lane.pieces:
        text = stream.texts.get(piece.ref)
        if text is not None and not _MAP.search(_head(text)):
            yield Fault(piece.where, "none", "X-TIMESTAMP-MAP")


def _head(text: str) -> str:
    return re.split(r"\r?\n\r?\n", text, maxsplit=1)[0]


@rule("text.timestamp-map-value", MUST, "RFC 8216bis 3.1.4", text_lanes)
def timestamp_map_value(lane: Lane, stream: Stream) -> Iterator[Fault]:
    """X-TIMESTAMP-MAP has a LOCAL time and an MPEGTS number of 33 bits."""
    for piece in lane.pieces:
        found = _MAP.search(_head(stream.texts.get(piece.ref, "")))
        if found and _mapped(found[1]) is None:
            yield Fault(piece.where, found[1].strip(), "LOCAL:hh:mm:ss.mmm,MPEGTS:n")


def _mapped(text: str) -> Fraction | None:
    """Seconds to be added to the times of cues."""
    fields = dict(part.strip().partition(":")[::2] for part in text.split(","))
    local, mpeg = _seconds(fields.get("LOCAL", "")), whole(fields.get("MPEGTS"))
    return None if local is None or mpeg is None or mpeg >= 2**33 else Fraction(mpeg, _MPEG) - local


def _seconds(text: str) -> Fraction | None:
    found = _STAMP.match(text.strip())
    if not found:
        return None
    return int(found[1] or 0) * 3600 + int(found[2]) * 60 + int(found[3]) + Fraction(int(found[4]), 1000)


@rule("text.times", MUST, "WebVTT 4.1; RFC 8216bis 3.1.4", text_lanes)
def times(lane: Lane, stream: Stream) -> Iterator[Fault]:
    """A cue has times that can be read, and ends after it begins."""
    for piece in lane.pieces:
        for begin, end in _CUE.findall(stream.texts.get(piece.ref, "")):
            first, last = _seconds(begin), _seconds(end)
            if first is None or last is None or last <= first:
                yield Fault(piece.where, f"{begin} --> {end}", "hh:mm:ss.mmm, growing")


@rule("text.in-segment", SHOULD, "RFC 8216bis 3.1.4: all cues that are shown in its time", text_lanes)
def in_segment(lane: Lane, stream: Stream) -> Iterator[Fault]:
    """A segment of captions holds cues of its own time."""
    shift = _zero(stream)
    for piece, begin in zip(lane.pieces, starts(lane), strict=True):
        text = stream.texts.get(piece.ref, "")
        found = _MAP.search(_head(text))
        added = (_mapped(found[1]) or Fraction(0)) if found else Fraction(0)
        for one, other in _CUE.findall(text):
            first, last = _seconds(one), _seconds(other)
            if first is None or last is None:
                continue
            first, last = first + added - shift, last + added - shift
            if last < begin - 1 or first > begin + piece.seconds + 1:
                yield Fault(
                    piece.where,
                    f"{one} --> {other}",
                    f"within {float(begin):.1f} to {float(begin + piece.seconds):.1f} s",
                )


def _zero(stream: Stream) -> Fraction:
    """The media time at which the picture or the sound begins."""
    for lane in lanes(stream):
        entry = entry_of(lane, stream)
        if entry and entry.handler == "vide":
            for piece, found in looked_into(lane, stream):
                if piece is lane.pieces[0] and found.tfdt is not None:
                    return Fraction(found.tfdt - entry.edit_start, entry.timescale)
    return Fraction(0)


RULES = (
    iframe_range, iframe_exact, iframe_length, image_variant, tiles, image_size, thumbnails, header, timestamp_map,
    timestamp_map_value, times, in_segment,
)  # fmt: skip
