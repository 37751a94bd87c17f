"""Rules for multivariant playlists: variants and what they say of themselves (RFC 8216bis section 4.4.6.2)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

from rushes.packaging.lint.lanes import Lane, entry_of, looked_into
from rushes.packaging.lint.numbers import codecs, decimal, same_codec, size, whole
from rushes.packaging.lint.rule import INFO, MUST, SHOULD, Fault, rule
from rushes.packaging.lint.stream import Playlist, Stream
from rushes.packaging.lint.variants import Variant, iframe_variants, masters, played, variants, video_of

_RANGES = {16: "PQ", 18: "HLG"}
_TEXT = ("wvtt", "stpp", "tx3g")
_RATE_SLACK = Fraction(1, 100)
_APPLE = "Apple HLS Authoring Specification, Multivariant Playlists"


def pictures(stream: Stream) -> list[Variant]:
    return [one for one in variants(stream) if video_of(one, stream)]


def all_variants(stream: Stream) -> list[Variant]:
    return [*variants(stream), *iframe_variants(stream)]


@rule("hls.variants", MUST, "RFC 8216bis 4.4.6.2", masters)
def has_variants(master: Playlist, _: Stream) -> Iterator[Fault]:
    """There are variants, and each has its address in the line behind it."""
    found = master.all("EXT-X-STREAM-INF")
    if not found:
        yield Fault(master.where, "no EXT-X-STREAM-INF", "at least one")
    for tag in found:
        if not tag.uri:
            yield Fault(f"{master.where} line {tag.line}", "no address", "an address in the next line")


@rule("hls.bandwidth-present", MUST, "RFC 8216bis 4.4.6.2, BANDWIDTH", all_variants)
def bandwidth_present(variant: Variant, _: Stream) -> Iterator[Fault]:
    """Every variant says its BANDWIDTH."""
    if not whole(variant.get("BANDWIDTH")):
        yield Fault(variant.where, variant.get("BANDWIDTH") or "none", "bits per second")


@rule("hls.average-bandwidth-present", SHOULD, f"{_APPLE}, AVERAGE-BANDWIDTH", variants)
def average_present(variant: Variant, _: Stream) -> Iterator[Fault]:
    """Every variant says its AVERAGE-BANDWIDTH."""
    if not whole(variant.get("AVERAGE-BANDWIDTH")):
        yield Fault(variant.where, variant.get("AVERAGE-BANDWIDTH") or "none", "bits per second")


@rule("hls.codecs-present", MUST, f"{_APPLE}, CODECS; RFC 8216bis 4.4.6.2", all_variants)
def codecs_present(variant: Variant, _: Stream) -> Iterator[Fault]:
    """Every variant says its CODECS."""
    if not variant.get("CODECS"):
        yield Fault(variant.where, "none", "CODECS")


@rule("hls.codecs", MUST, "RFC 8216bis 4.4.6.2, CODECS; RFC 6381", all_variants)
def codecs_are_those(variant: Variant, stream: Stream) -> Iterator[Fault]:
    """CODECS names the formats in all that plays together, as their sample entries have them, and no others."""
    said = codecs(variant.get("CODECS") or "")
    real = {entry.codecs: lane.where for lane in _lanes(variant, stream) if (entry := entry_of(lane, stream))}
    real = {codec: where for codec, where in real.items() if codec}
    for codec, where in real.items():
        if said and not any(same_codec(codec, one) for one in said):
            yield Fault(variant.where, ",".join(said), f"{codec}, which {where} has")
    for one in said:
        known = one.split(".")[0] not in _TEXT
        if real and known and _all_read(variant, stream) and not any(same_codec(codec, one) for codec in real):
            yield Fault(variant.where, one, f"only {', '.join(real)}")


def _lanes(variant: Variant, stream: Stream) -> list[Lane]:
    return [lane for group in played(variant, stream).values() for lane in group]


def _all_read(variant: Variant, stream: Stream) -> bool:
    found = [lane for lane in _lanes(variant, stream) if not lane.is_text]
    return all(entry_of(lane, stream) for lane in found)


@rule("hls.codecs-tag", SHOULD, "Apple HLS Authoring Specification, Video: hvc1, not hev1", pictures)
def codecs_tag(variant: Variant, stream: Stream) -> Iterator[Fault]:
    """HEVC has its parameter sets in the init segment (hvc1), H.264 too (avc1)."""
    lane = video_of(variant, stream)
    entry = entry_of(lane, stream) if lane else None
    if entry and entry.codecs.split(".")[0] in ("hev1", "avc3"):
        yield Fault(variant.where, entry.codecs, "hvc1 or avc1")


@rule("hls.h264-profile", SHOULD, "Apple HLS Authoring Specification, Video: High profile at most", pictures)
def h264_profile(variant: Variant, stream: Stream) -> Iterator[Fault]:
    """H.264 is 8-bit 4:2:0: High profile or below."""
    lane = video_of(variant, stream)
    entry = entry_of(lane, stream) if lane else None
    if entry and entry.codecs.startswith("avc1.") and int(entry.codecs[5:7], 16) > 100:
        yield Fault(variant.where, f"profile {int(entry.codecs[5:7], 16)}", "100 (High) or below")


@rule("hls.resolution-present", SHOULD, f"{_APPLE}, RESOLUTION", pictures)
def resolution_present(variant: Variant, _: Stream) -> Iterator[Fault]:
    """Every variant with a picture says its RESOLUTION."""
    if not size(variant.get("RESOLUTION")):
        yield Fault(variant.where, variant.get("RESOLUTION") or "none", "RESOLUTION")


@rule("hls.resolution", SHOULD, "RFC 8216bis 4.4.6.2, RESOLUTION", pictures)
def resolution(variant: Variant, stream: Stream) -> Iterator[Fault]:
    """RESOLUTION is the size of the picture as it is shown, or has its shape."""
    lane, said = video_of(variant, stream), size(variant.get("RESOLUTION"))
    entry = entry_of(lane, stream) if lane else None
    if entry and said and entry.width and not _alike(said, (entry.width, entry.height)):
        yield Fault(variant.where, f"{said[0]}x{said[1]}", f"{entry.width}x{entry.height}")


def _alike(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Within two lines or columns: what is shown of odd sizes is rounded by each in its own way."""
    return all(abs(first - second) <= 2 for first, second in zip(one, other, strict=True))


@rule("hls.frame-rate-present", SHOULD, f"{_APPLE}, FRAME-RATE", pictures)
def frame_rate_present(variant: Variant, _: Stream) -> Iterator[Fault]:
    """Every variant with a picture says its FRAME-RATE."""
    if decimal(variant.get("FRAME-RATE")) is None:
        yield Fault(variant.where, variant.get("FRAME-RATE") or "none", "FRAME-RATE")


@rule("hls.frame-rate", SHOULD, "RFC 8216bis 4.4.6.2, FRAME-RATE", pictures)
def frame_rate(variant: Variant, stream: Stream) -> Iterator[Fault]:
    """FRAME-RATE is that of the samples."""
    lane, said = video_of(variant, stream), decimal(variant.get("FRAME-RATE"))
    real = measured_rate(lane, stream) if lane else None
    if said and real and abs(said - real) > real * _RATE_SLACK:
        yield Fault(variant.where, f"{float(said):.3f}", f"{float(real):.3f}")


def measured_rate(lane: Lane, stream: Stream) -> Fraction | None:
    """Frames per second of the segments that were looked into; None of too few to tell."""
    entry = entry_of(lane, stream)
    found = [fragment for _, fragment in looked_into(lane, stream)]
    samples, ticks = sum(one.samples for one in found), sum(one.ticks for one in found)
    return Fraction(samples * entry.timescale, ticks) if entry and ticks and samples > 8 else None


@rule("hls.video-range", MUST, "RFC 8216bis 4.4.6.2, VIDEO-RANGE", pictures)
def video_range(variant: Variant, stream: Stream) -> Iterator[Fault]:
    """VIDEO-RANGE is that of the transfer characteristics in the sample entry; without it, SDR."""
    lane = video_of(variant, stream)
    entry = entry_of(lane, stream) if lane else None
    said = variant.get("VIDEO-RANGE") or "SDR"
    if entry and entry.transfer is not None:
        real = _RANGES.get(entry.transfer, "SDR")
        if said != real:
            yield Fault(variant.where, said, f"{real} (transfer characteristics {entry.transfer})")


@rule("hls.video-range-present", SHOULD, f"{_APPLE}, VIDEO-RANGE", pictures)
def video_range_present(variant: Variant, _: Stream) -> Iterator[Fault]:
    """Every variant with a picture says its VIDEO-RANGE: SDR, HLG or PQ."""
    if variant.get("VIDEO-RANGE") not in ("SDR", "HLG", "PQ"):
        yield Fault(variant.where, variant.get("VIDEO-RANGE") or "none", "SDR, HLG or PQ")


@rule("hls.closed-captions", MUST, "RFC 8216bis 4.4.6.2, CLOSED-CAPTIONS", masters)
def closed_captions(master: Playlist, _: Stream) -> Iterator[Fault]:
    """CLOSED-CAPTIONS=NONE is said of all variants or of none."""
    said = [tag.attributes.get("CLOSED-CAPTIONS") for tag in master.all("EXT-X-STREAM-INF")]
    if "NONE" in said and set(said) != {"NONE"}:
        yield Fault(master.where, f"NONE for {said.count('NONE')} of {len(said)}", "all or none")


@rule("hls.closed-captions-present", SHOULD, f"{_APPLE}, CLOSED-CAPTIONS", pictures)
def closed_captions_present(variant: Variant, _: Stream) -> Iterator[Fault]:
    """Every variant with a picture says its CLOSED-CAPTIONS, NONE too: else players offer what is not there."""
    if variant.get("CLOSED-CAPTIONS") is None:
        yield Fault(variant.where, "none", "CLOSED-CAPTIONS=NONE, or a group")


@rule("hls.score", SHOULD, "RFC 8216bis 4.4.6.2, SCORE", masters)
def score(master: Playlist, _: Stream) -> Iterator[Fault]:
    """All variants have a SCORE, or none."""
    said = ["SCORE" in tag.attributes for tag in master.all("EXT-X-STREAM-INF")]
    if len(set(said)) > 1:
        yield Fault(master.where, f"{sum(said)} of {len(said)}", "all or none")


@rule("hls.score-value", MUST, "RFC 8216bis 4.4.6.2, SCORE", all_variants)
def score_value(variant: Variant, _: Stream) -> Iterator[Fault]:
    """A SCORE is a positive decimal number."""
    said = variant.get("SCORE")
    if said is not None and not decimal(said):
        yield Fault(variant.where, said, "a positive decimal number")


@rule("hls.score-order", SHOULD, "RFC 8216bis 4.4.6.2, SCORE", variants)
def score_order(variant: Variant, stream: Stream) -> Iterator[Fault]:
    """Of two variants of one codec and range, the larger picture has no lower SCORE."""
    mine, area = decimal(variant.get("SCORE")), _area(variant)
    for other in variants(stream) if area else ():
        theirs = decimal(other.get("SCORE"))
        if mine and theirs and _kind(other) == _kind(variant) and _area(other) > area and theirs < mine:
            yield Fault(variant.where, f"{float(mine)}", f"no more than the {float(theirs)} of {other.where}")


def _area(variant: Variant) -> int:
    width, height = size(variant.get("RESOLUTION")) or (0, 0)
    return width * height


def _kind(variant: Variant) -> tuple[str, ...]:
    families = sorted(one.split(".")[0] for one in codecs(variant.get("CODECS") or ""))
    return (variant.get("VIDEO-RANGE") or "SDR", *families)


@rule("hls.score-mixed", SHOULD, f"{_APPLE}, SCORE", masters)
def score_mixed(master: Playlist, stream: Stream) -> Iterator[Fault]:
    """Where codecs of pictures mix, a SCORE says what is better: rates do not."""
    kinds = {entry.codecs.split(".")[0] for one in pictures(stream) if (entry := entry_of(_lane(one, stream), stream))}
    if len(kinds) > 1 and not any("SCORE" in tag.attributes for tag in master.all("EXT-X-STREAM-INF")):
        yield Fault(master.where, f"{', '.join(sorted(kinds))} without SCORE", "SCORE")


def _lane(variant: Variant, stream: Stream) -> Lane:
    found = video_of(variant, stream)
    if found is None:
        raise ValueError("no picture")
    return found


@rule("hls.iframes-present", SHOULD, "Apple HLS Authoring Specification, Trick Play", masters)
def iframes_present(master: Playlist, stream: Stream) -> Iterator[Fault]:
    """There are I-frame playlists, for scrubbing."""
    if pictures(stream) and not master.first("EXT-X-I-FRAME-STREAM-INF") and not stream.growing:
        yield Fault(master.where, "none", "EXT-X-I-FRAME-STREAM-INF")


@rule("hls.doubles", SHOULD, "RFC 8216bis 4.4.6.2", masters)
def doubles(master: Playlist, stream: Stream) -> Iterator[Fault]:
    """No two variants are the same."""
    seen: set[tuple[str | None, ...]] = set()
    for one in variants(stream):
        known = (one.uri, one.get("AUDIO"), one.get("VIDEO"), one.get("SUBTITLES"))
        if known in seen:
            yield Fault(one.where, "the same playlist and groups as another", "one variant for each")
        seen.add(known)


@rule("hls.ladder", INFO, "Apple HLS Authoring Specification: adjacent rates 1.5 to 2 times apart", masters)
def ladder(master: Playlist, stream: Stream) -> Iterator[Fault]:
    """Adjacent rates of one codec are 1.5 to 2 times apart."""
    rates: dict[tuple[str, ...], set[int]] = {}
    for one in pictures(stream):
        rates.setdefault(_kind(one), set()).add(whole(one.get("AVERAGE-BANDWIDTH")) or whole(one.get("BANDWIDTH")) or 0)
    for kind, found in rates.items():
        ordered = sorted(found - {0})
        for low, high in pairwise(ordered):
            if not 1.4 <= high / low <= 2.2:
                yield Fault(f"{master.where} {' '.join(kind)}", f"{high / low:.2f} times", "1.5 to 2 times")


RULES = (
    has_variants, bandwidth_present, average_present, codecs_present, codecs_are_those, codecs_tag, h264_profile,
    resolution_present, resolution, frame_rate_present, frame_rate, video_range, video_range_present, closed_captions,
    closed_captions_present, score, score_value, score_order, score_mixed, iframes_present, doubles, ladder,
)  # fmt: skip
