"""Rules for segments, of HLS and DASH alike: they are there, whole, in time, and begin where a decoder can."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

from rushes.packaging.lint.lanes import Lane, entry_of, lanes, looked_into, media_lanes, size_of, starts
from rushes.packaging.lint.rule import MUST, SHOULD, Fault, rule
from rushes.packaging.lint.stream import Fragment, Piece, Playlist, Representation, Stream
from rushes.packaging.lint.variants import Variant, variants, video_of

_PERCEPTIBLE = Fraction(1, 10)
"""Seconds by which a length may be off before it is heard or seen (RFC 8216bis section 4.4.4.1)."""
_SAP = ("1", "2")


def hls_lanes(stream: Stream) -> list[Lane]:
    return [lane for lane in media_lanes(stream) if isinstance(lane.source, Playlist)]


def dash_lanes(stream: Stream) -> list[Lane]:
    return [lane for lane in media_lanes(stream) if isinstance(lane.source, Representation)]


def hls_pictures(stream: Stream) -> list[Lane]:
    found = {lane.where: lane for one in variants(stream) if (lane := video_of(one, stream)) is not None}
    return list(found.values())


@rule("segment.exists", MUST, "RFC 8216bis 6.2.1; ISO/IEC 23009-1 5.3.9", lanes)
def exists(lane: Lane, stream: Stream) -> Iterator[Fault]:
    """Every segment and every init segment that is named is there."""
    for piece in lane.pieces:
        if piece.ref.uri in stream.sizes and stream.sizes[piece.ref.uri] is None and not piece.gap:
            yield Fault(piece.where, "not there", "a segment")
    for ref in dict.fromkeys(piece.init for piece in lane.pieces):
        if ref is not None and ref.uri in stream.sizes and stream.sizes[ref.uri] is None:
            yield Fault(f"{lane.where} ({ref.name})", "not there", "an init segment")


@rule("segment.empty", MUST, "RFC 8216bis 3", lanes)
def empty(lane: Lane, stream: Stream) -> Iterator[Fault]:
    """No segment is empty."""
    for piece in lane.pieces:
        if size_of(piece.ref, stream) == 0:
            yield Fault(piece.where, "0 bytes", "a segment")


@rule("segment.boxes", MUST, "RFC 8216bis 3.1.2; ISO/IEC 23000-19 7.3.2", media_lanes)
def boxes(lane: Lane, stream: Stream) -> Iterator[Fault]:
    """A segment of MP4 is made of boxes that can be read: movie fragments of its own track, and their media."""
    for piece in lane.pieces:
        found = stream.fragments.get(piece.ref)
        if found is None or found.kinds == ("mpeg-ts",) or (piece.init is None and "moof" not in found.kinds):
            continue
        if found.error:
            yield Fault(piece.where, found.error, "boxes that can be read")
        elif "moof" not in found.kinds or "mdat" not in found.kinds or not found.samples:
            yield Fault(piece.where, " ".join(found.kinds) or "nothing", "moof and mdat, with samples")


@rule("segment.truncated", MUST, "ISO/IEC 14496-12 4.2", media_lanes)
def truncated(lane: Lane, stream: Stream) -> Iterator[Fault]:
    """A segment has the bytes that its boxes say it has."""
    for piece, found in looked_into(lane, stream):
        size, there = size_of(piece.ref, stream), stream.sizes.get(piece.ref.uri)
        whole = piece.ref.length is None or there is None or piece.ref.start + piece.ref.length <= there
        if size is not None and (found.claimed > size or not whole):
            yield Fault(piece.where, f"{min(size, there or size)} bytes", f"{found.claimed} by its boxes")


@rule("segment.tfdt", MUST, "ISO/IEC 23000-19 7.5.16; RFC 8216bis 3.1.2", media_lanes)
def has_tfdt(lane: Lane, stream: Stream) -> Iterator[Fault]:
    """A fragment says its decode time (tfdt)."""
    for piece, found in looked_into(lane, stream):
        if found.tfdt is None:
            yield Fault(piece.where, "no tfdt", "tfdt")


@rule("hls.extinf", MUST, "RFC 8216bis 4.4.4.1, EXTINF", hls_lanes)
def extinf(lane: Lane, stream: Stream) -> Iterator[Fault]:
    """EXTINF is as long as the segment's samples, to a tenth of a second."""
    entry = entry_of(lane, stream)
    for piece, found in looked_into(lane, stream) if entry and not _is_text(entry.handler) else ():
        real = Fraction(found.ticks, entry.timescale) if entry else Fraction(0)
        if real and abs(real - piece.seconds) > _PERCEPTIBLE:
            yield Fault(piece.where, f"{float(piece.seconds):.3f} s", f"{float(real):.3f} s by its samples")


def _is_text(handler: str) -> bool:
    return handler in ("text", "subt", "sbtl")


@rule("hls.extinf-drift", SHOULD, "RFC 8216bis 4.4.4.1: no perceptible error when lengths are added up", hls_lanes)
def drift(lane: Lane, stream: Stream) -> Iterator[Fault]:
    """The lengths of a playlist, added up, stay with the decode times of its segments."""
    for piece, off in _offsets(lane, stream):
        if _PERCEPTIBLE / 2 < abs(off) <= _gap(piece):
            yield Fault(piece.where, f"{float(off):+.3f} s", "within a twentieth of a second")
            return


@rule("hls.timestamps", MUST, "RFC 8216bis 4.4.4.3, EXT-X-DISCONTINUITY", hls_lanes)
def timestamps(lane: Lane, stream: Stream) -> Iterator[Fault]:
    """Decode times (tfdt) go on from segment to segment; a jump needs EXT-X-DISCONTINUITY."""
    for piece, off in _offsets(lane, stream):
        if abs(off) > _gap(piece):
            yield Fault(piece.where, f"{float(off):+.3f} s off", "where the segments before it end")
            return


def _gap(piece: Piece) -> Fraction:
    return max(Fraction(1, 2), piece.seconds / 2)


def _offsets(lane: Lane, stream: Stream) -> Iterator[tuple[Piece, Fraction]]:
    """How far each segment's tfdt is from where the playlist has it, counted from the first; up to a discontinuity."""
    entry = entry_of(lane, stream)
    if entry is None or any(piece.discontinuity for piece in lane.pieces[1:]):
        return
    begins, zero = dict(zip((piece.ref for piece in lane.pieces), starts(lane), strict=False)), None
    for piece, found in looked_into(lane, stream):
        if found.tfdt is None:
            continue
        at = Fraction(found.tfdt, entry.timescale)
        zero = at - begins[piece.ref] if zero is None else zero
        yield piece, at - begins[piece.ref] - zero


@rule(
    "segment.independent",
    MUST,
    "RFC 8216bis 4.4.2.1; ISO/IEC 23000-19 7.3.2.3; ISO/IEC 23009-1, @startWithSAP",
    media_lanes,
)
def begins_with_sync(lane: Lane, stream: Stream) -> Iterator[Fault]:
    """A segment begins with a picture that needs no other (IDR): its first sample is a sync sample."""
    entry = entry_of(lane, stream)
    if entry is None or entry.handler != "vide" or not _says_so(lane, stream):
        return
    for piece, found in looked_into(lane, stream):
        if not found.sync:
            yield Fault(piece.where, "its first sample is no sync sample", "a sync sample")


def _says_so(lane: Lane, stream: Stream) -> bool:
    if isinstance(lane.source, Representation):
        return lane.source.attributes.get("startWithSAP") in _SAP
    master = stream.master
    tags = [lane.source.first("EXT-X-INDEPENDENT-SEGMENTS"), master and master.first("EXT-X-INDEPENDENT-SEGMENTS")]
    return any(tags)


@rule("hls.aligned", SHOULD, "Apple HLS Authoring Specification, Media Segmentation; RFC 8216bis 6.2.4", lambda s: [s])
def aligned(stream: Stream, _: Stream) -> Iterator[Fault]:
    """Pictures of all variants are cut at the same times."""
    found = hls_pictures(stream)
    for lane in found[1:]:
        if not _same_cuts(found[0], lane):
            yield Fault(lane.where, _cuts(lane), f"{_cuts(found[0])}, as {found[0].where}")


def _cuts(lane: Lane) -> str:
    return f"{len(lane.pieces)} segments, {float(sum(piece.seconds for piece in lane.pieces)):.3f} s"


def _same_cuts(one: Lane, other: Lane) -> bool:
    """To 20 ms: lengths are written to some digits only."""
    pairs = zip(starts(one), starts(other), strict=False)
    return len(one.pieces) == len(other.pieces) and all(
        abs(first - second) <= Fraction(1, 50) for first, second in pairs
    )


@rule("hls.same-target", MUST, "RFC 8216bis 6.2.4", lambda s: [s] if s.master else [])
def same_target(stream: Stream, _: Stream) -> Iterator[Fault]:
    """Playlists of pictures and sound have one target duration."""
    found = [lane.source for lane in hls_lanes(stream) if isinstance(lane.source, Playlist) and not lane.is_text]
    targets = sorted({one.target for one in found if one.pieces and one.target})
    if len(targets) > 1:
        yield Fault(stream.master.where if stream.master else "", ", ".join(map(str, targets)), "one for all")


@rule("hls.same-length", MUST, "RFC 8216bis 6.2.4", lambda s: [s] if s.master else [])
def same_length(stream: Stream, _: Stream) -> Iterator[Fault]:
    """What one variant has and another has not is no longer than a target duration."""
    found = hls_pictures(stream)
    for lane in found[1:]:
        if isinstance(lane.source, Playlist) and isinstance(found[0].source, Playlist):
            differs = abs(lane.source.seconds - found[0].source.seconds)
            if differs > max(1, found[0].source.target) and not stream.growing:
                yield Fault(lane.where, f"{float(differs):.1f} s", f"no more than {found[0].source.target} s")


@rule("dash.tfdt", MUST, "ISO/IEC 23009-1 5.3.9.6, 7.2.1: S@t is the decode time", dash_lanes)
def dash_tfdt(lane: Lane, stream: Stream) -> Iterator[Fault]:
    """The timeline's times are those in the segments (tfdt)."""
    entry, one = entry_of(lane, stream), lane.source
    exact = isinstance(one, Representation) and (one.timeline or one.index)
    for piece, found in looked_into(lane, stream) if entry else ():
        if piece.ticks is None or found.tfdt is None or not isinstance(one, Representation):
            continue
        said, real = Fraction(piece.ticks, one.timescale), Fraction(found.tfdt, entry.timescale if entry else 1)
        slack = _shift(lane, stream) if exact else max(piece.seconds / 2, Fraction(1))
        if abs(said - real) > slack:
            yield Fault(piece.where, f"{float(said):.6f} s", f"{float(real):.6f} s, its tfdt")


def _shift(lane: Lane, stream: Stream) -> Fraction:
    """With an edit list, presentation begins at its media time, and a timeline may count from there."""
    entry = entry_of(lane, stream)
    one = lane.source
    tick = Fraction(1, one.timescale if isinstance(one, Representation) else 1)
    return tick + (Fraction(entry.edit_start, entry.timescale) if entry else 0)


@rule("dash.duration", MUST, "ISO/IEC 23009-1 5.3.9.6, S@d", dash_lanes)
def dash_duration(lane: Lane, stream: Stream) -> Iterator[Fault]:
    """A timeline's lengths are those of the segments' samples."""
    entry, one = entry_of(lane, stream), lane.source
    if entry is None or not isinstance(one, Representation) or not (one.timeline or one.index):
        return
    for piece, found in looked_into(lane, stream):
        real = Fraction(found.ticks, entry.timescale)
        if real and not _is_text(entry.handler) and abs(real - piece.seconds) > _PERCEPTIBLE:
            yield Fault(piece.where, f"{float(piece.seconds):.3f} s", f"{float(real):.3f} s by its samples")


@rule("segment.own-track", MUST, "ISO/IEC 23000-19 7.3.2", media_lanes)
def own_init(lane: Lane, stream: Stream) -> Iterator[Fault]:
    """The init segment is that of the segments: one track, of the kind that the manifest says."""
    ref, source = lane.init, lane.source
    init = stream.inits.get(ref) if ref else None
    if init is None:
        return
    if init.error:
        yield Fault(f"{lane.where} ({init.ref.name})", init.error, "an init segment")
        return
    said = source.attributes.get("mimeType", "") if isinstance(source, Representation) else ""
    wanted = {"video/mp4": "vide", "audio/mp4": "soun"}.get(said)
    handlers = [track.handler for track in init.tracks]
    if wanted and wanted not in handlers:
        yield Fault(f"{lane.where} ({init.ref.name})", ", ".join(handlers) or "no track", wanted)


@rule("hls.kind-of-variant", MUST, "RFC 8216bis 4.4.6.2, RESOLUTION, CODECS", variants)
def kind_of_variant(variant: Variant, stream: Stream) -> Iterator[Fault]:
    """A variant with a RESOLUTION plays a picture."""
    found = stream.playlists.get(variant.uri)
    lane = Lane(found.where, found.pieces, found) if found and found.is_media else None
    entry = entry_of(lane, stream) if lane else None
    if entry and variant.get("RESOLUTION") and entry.handler != "vide":
        yield Fault(variant.where, f"handler {entry.handler!r}", "a picture")


def fragments_in_order(lane: Lane, stream: Stream) -> Iterator[tuple[tuple[Piece, Fragment], tuple[Piece, Fragment]]]:
    """Neighbours, where both were looked into."""
    order = {piece.ref: number for number, piece in enumerate(lane.pieces)}
    for before, after in pairwise(looked_into(lane, stream)):
        if order[after[0].ref] == order[before[0].ref] + 1:
            yield before, after


@rule("segment.contiguous", MUST, "ISO/IEC 23000-19 7.3.2.3; DASH-IF IOP part 5, 4.4", media_lanes)
def contiguous(lane: Lane, stream: Stream) -> Iterator[Fault]:
    """A segment's decode time is where the samples of the one before it end."""
    entry = entry_of(lane, stream)
    if entry is None or _is_text(entry.handler) or any(piece.discontinuity for piece in lane.pieces):
        return
    for (_, before), (piece, after) in fragments_in_order(lane, stream):
        if before.tfdt is None or after.tfdt is None:
            continue
        off = Fraction(after.tfdt - before.tfdt - before.ticks, entry.timescale)
        if abs(off) > Fraction(1, 1000):
            yield Fault(piece.where, f"{float(off):+.4f} s", "no gap and no overlap")


RULES = (
    exists, empty, boxes, truncated, has_tfdt, extinf, drift, timestamps, begins_with_sync, aligned, same_target, same_length,
    dash_tfdt, dash_duration, own_init, kind_of_variant, contiguous,
)  # fmt: skip
