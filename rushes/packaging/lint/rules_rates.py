"""Rules for rates: what manifests announce beside what the segments weigh."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from rushes.packaging.bitrate import average, peak
from rushes.packaging.lint.lanes import Lane, all_sizes, lane_average, lane_peak
from rushes.packaging.lint.numbers import duration, whole
from rushes.packaging.lint.rule import MUST, SHOULD, Fault, rule
from rushes.packaging.lint.stream import AdaptationSet, Playlist, Representation, Stream
from rushes.packaging.lint.variants import Variant, iframe_variants, lane_at, played, variants

_SLACK = Fraction(1, 10)
_FEW = 3


@rule("hls.bandwidth", MUST, "RFC 8216bis 4.4.6.2, BANDWIDTH; Apple HLS Authoring Specification: within 10 %", variants)
def bandwidth(variant: Variant, stream: Stream) -> Iterator[Fault]:
    """BANDWIDTH is the measured peak of picture and heaviest sound, within 10 %. Of what still grows it is a promise."""
    said, real = whole(variant.get("BANDWIDTH")), _peak(variant, stream)
    if not said or not real or stream.growing:
        return
    if real > said * (1 + _SLACK) or (said > real * (1 + _SLACK) and _is_long(variant, stream)):
        yield Fault(variant.where, f"{said}", f"{real} was measured")


@rule(
    "hls.average-bandwidth", MUST,
    "RFC 8216bis 4.4.6.2, AVERAGE-BANDWIDTH; Apple HLS Authoring Specification: within 10 %", variants,
)  # fmt: skip
def average_bandwidth(variant: Variant, stream: Stream) -> Iterator[Fault]:
    """AVERAGE-BANDWIDTH is the measured average of picture and heaviest sound, within 10 %."""
    said, real = whole(variant.get("AVERAGE-BANDWIDTH")), _average(variant, stream)
    if said and real and not stream.growing and abs(said - real) > real * _SLACK:
        yield Fault(variant.where, f"{said}", f"{real} was measured")


@rule("hls.peak", SHOULD, "Apple HLS Authoring Specification: peak at most 200 % of the average", variants)
def peak_to_average(variant: Variant, stream: Stream) -> Iterator[Fault]:
    """The peak is at most twice the average."""
    top, mean = _peak(variant, stream), _average(variant, stream)
    if top and mean and not stream.growing and top > 2 * mean * (1 + _SLACK):
        yield Fault(variant.where, f"{top / mean:.2f} times", "at most 2 times")


def _groups(variant: Variant, stream: Stream) -> list[list[Lane]]:
    return list(played(variant, stream).values())


def _is_long(variant: Variant, stream: Stream) -> bool:
    """Whether a peak can be told at all: of two or three segments each packager makes something else."""
    return all(len(lane.pieces) >= _FEW for group in _groups(variant, stream) for lane in group if lane.is_media)


def _peak(variant: Variant, stream: Stream) -> int | None:
    found = [
        [lane_peak(lane, stream, _target(lane)) for lane in group if not lane.is_text]
        for group in _groups(variant, stream)
    ]
    return _sum(found)


def _average(variant: Variant, stream: Stream) -> int | None:
    return _sum(
        [[lane_average(lane, stream) for lane in group if not lane.is_text] for group in _groups(variant, stream)]
    )


def _sum(found: list[list[int | None]]) -> int | None:
    """The heaviest of each group together; None where one is not known."""
    if not found or any(rate is None for group in found for rate in group):
        return None
    return sum(max((rate or 0 for rate in group), default=0) for group in found)


def _target(lane: Lane) -> int:
    return (lane.source.target if isinstance(lane.source, Playlist) else 0) or 1


@rule("hls.iframe-bandwidth", SHOULD, "RFC 8216bis 4.4.6.3", iframe_variants)
def iframe_bandwidth(variant: Variant, stream: Stream) -> Iterator[Fault]:
    """BANDWIDTH of an I-frame playlist is no less than its measured average."""
    lane, said = lane_at(stream, variant.uri), whole(variant.get("BANDWIDTH"))
    sizes = all_sizes(lane, stream) if lane else None
    if lane is None or not sizes or not said:
        return
    real = average([piece.seconds for piece in lane.pieces], sizes)
    if real > said * (1 + _SLACK):
        yield Fault(variant.where, f"{said}", f"{real} was measured")


def representations(stream: Stream) -> list[Representation]:
    return [one for each in _sets(stream) for one in each.members]


def _sets(stream: Stream) -> tuple[AdaptationSet, ...]:
    return stream.manifest.sets if stream.manifest else ()


@rule("dash.bandwidth", MUST, "ISO/IEC 23009-1 5.3.5.2, @bandwidth with @minBufferTime", representations)
def dash_bandwidth(one: Representation, stream: Stream) -> Iterator[Fault]:
    """Who has buffered @minBufferTime and is sent @bandwidth never waits."""
    said, lane = whole(one.attributes.get("bandwidth")), Lane(one.where, one.pieces, one)
    sizes = all_sizes(lane, stream)
    if not said or not sizes or one.mime.startswith(("image/", "application/", "text/")):
        return
    buffered = duration((stream.manifest.attributes if stream.manifest else {}).get("minBufferTime")) or Fraction(0)
    over = _overrun([piece.seconds for piece in one.pieces], sizes, said)
    if over > said * buffered * (1 + _SLACK):
        real = peak([piece.seconds for piece in one.pieces], sizes, max(1, round(max(p.seconds for p in one.pieces))))
        yield Fault(one.where, f"{said}", f"enough for {real} and {float(buffered):.1f} s of buffer")


def _overrun(seconds: list[Fraction], sizes: list[int], rate: int) -> Fraction:
    """Bits that a run of segments has beyond what comes at `rate` while all of it plays: the largest such sum."""
    best = now = Fraction(0)
    for length, octets in zip(seconds, sizes, strict=True):
        now = max(Fraction(0), now + 8 * octets - rate * length)
        best = max(best, now)
    return best


@rule("dash.bandwidth-average", MUST, "ISO/IEC 23009-1 5.3.5.2, @bandwidth", representations)
def dash_average(one: Representation, stream: Stream) -> Iterator[Fault]:
    """@bandwidth is no less than the measured average."""
    said = whole(one.attributes.get("bandwidth"))
    real = lane_average(Lane(one.where, one.pieces, one), stream)
    heavy = not one.mime.startswith(("image/", "application/", "text/"))
    if said and real and heavy and real > said * (1 + _SLACK):
        yield Fault(one.where, f"{said}", f"{real} was measured")


RULES = (bandwidth, average_bandwidth, peak_to_average, iframe_bandwidth, dash_bandwidth, dash_average)
