"""Rules for DASH manifests (ISO/IEC 23009-1; DASH-IF IOP)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

from rushes.packaging.lint.lanes import Lane, entry_of
from rushes.packaging.lint.mpd import NAMESPACE
from rushes.packaging.lint.numbers import codecs, duration, is_language, is_relative, ratio, same_codec, whole
from rushes.packaging.lint.rule import MUST, SHOULD, Fault, rule
from rushes.packaging.lint.rules_master import measured_rate
from rushes.packaging.lint.rules_rates import representations
from rushes.packaging.lint.stream import AdaptationSet, Manifest, Representation, Stream

_TYPES = ("static", "dynamic")


def manifests(stream: Stream) -> list[Manifest]:
    return [stream.manifest] if stream.manifest else []


def readable(stream: Stream) -> list[Manifest]:
    return [one for one in manifests(stream) if one.attributes]


def sets(stream: Stream) -> tuple[AdaptationSet, ...]:
    return stream.manifest.sets if stream.manifest else ()


def moving(stream: Stream) -> list[Representation]:
    """Sound and picture."""
    return [one for one in representations(stream) if one.mime.startswith(("video/", "audio/"))]


def lane(one: Representation) -> Lane:
    return Lane(one.where, one.pieces, one)


@rule("dash.syntax", MUST, "ISO/IEC 23009-1 5.2.2; XML 1.0", manifests)
def syntax(manifest: Manifest, _: Stream) -> Iterator[Fault]:
    """A manifest is well-formed XML without a document type, and all of it can be read."""
    for flaw in manifest.flaws:
        yield Fault(manifest.where, flaw, "an MPD")


@rule("dash.root", MUST, "ISO/IEC 23009-1 5.3.1.2", readable)
def root(manifest: Manifest, _: Stream) -> Iterator[Fault]:
    """The root is MPD in its namespace, with @profiles, @minBufferTime and a known @type."""
    said = manifest.attributes
    if said.get("root") != "MPD" or said.get("xmlns") != NAMESPACE:
        yield Fault(
            manifest.where, f"{said.get('root')} in {said.get('xmlns') or 'no namespace'}", f"MPD in {NAMESPACE}"
        )
    if not said.get("profiles"):
        yield Fault(manifest.where, "no @profiles", "@profiles")
    if duration(said.get("minBufferTime")) is None:
        yield Fault(manifest.where, said.get("minBufferTime") or "no @minBufferTime", "a duration")
    if said.get("type", "static") not in _TYPES:
        yield Fault(manifest.where, said["type"], " or ".join(_TYPES))


@rule("dash.length", MUST, "ISO/IEC 23009-1 5.3.1.2, @mediaPresentationDuration", readable)
def length(manifest: Manifest, _: Stream) -> Iterator[Fault]:
    """What is static says how long it is."""
    said = manifest.attributes
    known = any(one.period for each in manifest.sets for one in each.members)
    if said.get("type", "static") == "static" and not duration(said.get("mediaPresentationDuration")) and not known:
        yield Fault(manifest.where, said.get("mediaPresentationDuration") or "not said", "@mediaPresentationDuration")


@rule("dash.periods", MUST, "ISO/IEC 23009-1 5.3.2", readable)
def periods(manifest: Manifest, _: Stream) -> Iterator[Fault]:
    """There is a period, and something in it."""
    if not manifest.periods or not any(one.members for one in manifest.sets):
        yield Fault(
            manifest.where,
            f"{manifest.periods} periods, {len(manifest.sets)} sets",
            "at least one with a representation",
        )


@rule("dash.ids", MUST, "ISO/IEC 23009-1 5.3.5.2, @id", readable)
def ids(manifest: Manifest, _: Stream) -> Iterator[Fault]:
    """Every representation has an @id of its own in its period."""
    seen: set[tuple[str, str]] = set()
    for each in manifest.sets:
        for one in each.members:
            key = (each.where.rpartition(" set ")[0], one.attributes.get("id", ""))
            if not key[1] or key in seen:
                yield Fault(one.where, key[1] or "no @id", "one of its own")
            seen.add(key)


@rule("dash.mime", MUST, "ISO/IEC 23009-1 5.3.7.2, @mimeType", representations)
def mime(one: Representation, _: Stream) -> Iterator[Fault]:
    """Every representation, or its set, says its @mimeType."""
    if not one.mime:
        yield Fault(one.where, "no @mimeType", "@mimeType")


@rule("dash.bandwidth-present", MUST, "ISO/IEC 23009-1 5.3.5.2, @bandwidth", representations)
def bandwidth_present(one: Representation, _: Stream) -> Iterator[Fault]:
    """Every representation says its @bandwidth."""
    if not whole(one.attributes.get("bandwidth")):
        yield Fault(one.where, one.attributes.get("bandwidth") or "none", "bits per second")


@rule("dash.addressing", MUST, "ISO/IEC 23009-1 5.3.9", moving)
def addressing(one: Representation, _: Stream) -> Iterator[Fault]:
    """Every representation leads to its segments and to its init segment."""
    if not one.addressing:
        yield Fault(one.where, "no segments are named", "SegmentTemplate, SegmentList or SegmentBase")
    elif not one.pieces:
        yield Fault(one.where, f"{one.addressing} gives no segment", "at least one")
    elif one.init is None:
        yield Fault(one.where, "no init segment", "@initialization or Initialization")


@rule("dash.sidx", MUST, "ISO/IEC 23009-1 6.2.3; ISO/IEC 14496-12 8.16.3", representations)
def sidx(one: Representation, stream: Stream) -> Iterator[Fault]:
    """@indexRange holds the segment index, and that is about all the bytes of the file."""
    if one.addressing != "SegmentBase":
        return
    index = stream.indexes.get(one.index) if one.index else None
    if index is None or index.error:
        yield Fault(one.where, index.error if index else "no @indexRange", "a sidx box")
        return
    size, end = stream.sizes.get(index.ref.uri), index.first + sum(index.sizes)
    if size is not None and end != size:
        yield Fault(one.where, f"the index ends at byte {end}", f"{size}, the end of the file")


@rule("dash.codecs", MUST, "ISO/IEC 23009-1 5.3.7.2, @codecs; RFC 6381", moving)
def codecs_are_those(one: Representation, stream: Stream) -> Iterator[Fault]:
    """@codecs is that of the sample entry."""
    said, entry = codecs(one.attributes.get("codecs", "")), entry_of(lane(one), stream)
    if not said:
        yield Fault(one.where, "no @codecs", "@codecs")
    elif entry and entry.codecs and not any(same_codec(entry.codecs, each) for each in said):
        yield Fault(one.where, ",".join(said), entry.codecs)


@rule("dash.size", SHOULD, "ISO/IEC 23009-1 5.3.7.2, @width, @height", moving)
def picture_size(one: Representation, stream: Stream) -> Iterator[Fault]:
    """@width and @height are those of the picture."""
    width, height = whole(one.attributes.get("width")), whole(one.attributes.get("height"))
    entry = entry_of(lane(one), stream)
    if entry and entry.width and width and height:
        sar = ratio(one.attributes.get("sar", "1:1").replace(":", "/")) or Fraction(1)
        shown = (round(width * sar), height)
        if abs(shown[0] - entry.width) > 2 or abs(shown[1] - entry.height) > 2:
            yield Fault(one.where, f"{width}x{height}", f"{entry.width}x{entry.height}")


@rule("dash.size-present", SHOULD, "DASH-IF IOP 3.2.4", moving)
def size_present(one: Representation, _: Stream) -> Iterator[Fault]:
    """A picture says its @width, @height and @frameRate."""
    missing = [name for name in ("width", "height", "frameRate") if name not in one.attributes]
    if one.mime.startswith("video/") and missing:
        yield Fault(one.where, f"no {', '.join(missing)}", "all of them")


@rule("dash.frame-rate", SHOULD, "ISO/IEC 23009-1 5.3.7.2, @frameRate", moving)
def frame_rate(one: Representation, stream: Stream) -> Iterator[Fault]:
    """@frameRate is that of the samples."""
    said, real = ratio(one.attributes.get("frameRate")), measured_rate(lane(one), stream)
    if one.mime.startswith("video/") and said and real and abs(said - real) > real / 100:
        yield Fault(one.where, f"{float(said):.3f}", f"{float(real):.3f}")


@rule("dash.alignment", SHOULD, "DASH-IF IOP 3.2.4; ISO/IEC 23009-1 5.3.3.2", sets)
def alignment(one: AdaptationSet, _: Stream) -> Iterator[Fault]:
    """A set of several says segmentAlignment, so that players may switch."""
    if len(one.members) > 1 and one.members[0].mime.startswith(("video/", "audio/")):
        said = one.attributes.get("segmentAlignment") or one.attributes.get("subsegmentAlignment") or "false"
        if said == "false":
            yield Fault(one.where, "not said", 'segmentAlignment="true"')


@rule("dash.sap", SHOULD, "DASH-IF IOP 3.2.4; ISO/IEC 23009-1 5.3.7.2, @startWithSAP", moving)
def sap(one: Representation, _: Stream) -> Iterator[Fault]:
    """Segments that begin with a picture that needs no other say so: startWithSAP is 1 or 2."""
    said = one.attributes.get("startWithSAP") or one.attributes.get("subsegmentStartsWithSAP")
    if said not in ("1", "2"):
        yield Fault(one.where, said or "not said", "1 or 2")


@rule("dash.timeline", MUST, "ISO/IEC 23009-1 5.3.9.6; DASH-IF IOP part 5: no gaps, no overlaps", representations)
def timeline(one: Representation, __: Stream) -> Iterator[Fault]:
    """A SegmentTimeline is contiguous, and each length is more than nothing."""
    for number, (_, ticks) in enumerate(one.timeline):
        if ticks <= 0:
            yield Fault(f"{one.where} S {number}", f"@d {ticks}", "more than 0")
    for number, ((start, ticks), (after, _)) in enumerate(pairwise(one.timeline), 1):
        if abs(after - start - ticks) > max(1, one.timescale // 1000):
            yield Fault(f"{one.where} S {number}", f"@t {after}", f"{start + ticks}")


@rule("dash.covers", SHOULD, "ISO/IEC 23009-1 5.3.2: segments for all of the period", moving)
def covers(one: Representation, stream: Stream) -> Iterator[Fault]:
    """The segments reach to the end of the period."""
    if one.pieces and one.period and (one.timeline or one.index):
        longest = max(piece.seconds for piece in one.pieces)
        if one.seconds < one.period - max(longest, Fraction(1)):
            yield Fault(one.where, f"{float(one.seconds):.2f} s", f"{float(one.period):.2f} s")


@rule("dash.max-segment", MUST, "ISO/IEC 23009-1 5.3.1.2, @maxSegmentDuration", readable)
def max_segment(manifest: Manifest, stream: Stream) -> Iterator[Fault]:
    """No segment is longer than @maxSegmentDuration."""
    said = duration(manifest.attributes.get("maxSegmentDuration"))
    for one in moving(stream) if said else ():
        longest = max((piece.seconds for piece in one.pieces), default=Fraction(0))
        if said and one.timeline and longest > said + Fraction(1, 1000):
            yield Fault(one.where, f"{float(longest):.3f} s", f"at most {float(said):.3f} s")


@rule("dash.language", MUST, "ISO/IEC 23009-1 5.3.3.2, @lang; RFC 5646 (BCP 47)", sets)
def language(one: AdaptationSet, _: Stream) -> Iterator[Fault]:
    """@lang is a tag of BCP 47."""
    tag = one.attributes.get("lang")
    if tag is not None and not is_language(tag):
        yield Fault(one.where, tag, "a tag such as en or pt-BR")


@rule("dash.channels", SHOULD, "DASH-IF IOP 3.2.4, AudioChannelConfiguration", moving)
def channels(one: Representation, _: Stream) -> Iterator[Fault]:
    """Sound says its channels."""
    if one.mime == "audio/mp4" and not one.channels:
        yield Fault(one.where, "no AudioChannelConfiguration", "one")


@rule("dash.relative", SHOULD, "what CDNs and takedowns need", readable)
def relative(manifest: Manifest, _: Stream) -> Iterator[Fault]:
    """Addresses are relative, so that a stream can be moved, signed and served from several hosts."""
    for uri in manifest.addresses:
        if not is_relative(uri):
            yield Fault(manifest.where, uri, "a relative address")


RULES = (
    syntax, root, length, periods, ids, mime, bandwidth_present, addressing, sidx, codecs_are_those, picture_size, size_present,
    frame_rate, alignment, sap, timeline, covers, max_segment, language, channels, relative,
)  # fmt: skip
