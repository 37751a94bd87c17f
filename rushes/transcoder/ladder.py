"""The ladder: which renditions a source gets. Pure arithmetic on the probed facts and the profile.

A rung is named by the short side of the upright picture in square pixels, so portrait and landscape are treated alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from rushes.errors import StepFailure
from rushes.facts import SourceFacts, VideoFacts
from rushes.plan import Grid, Ladder, Look, Plan, Rung
from rushes.profiles import CodecTarget, Profile, RungTarget
from rushes.transcoder import first_look
from rushes.transcoder.chunks import plan_chunks
from rushes.transcoder.grading import believed_light, believed_mastering
from rushes.transcoder.grid import plan_grid

Size = tuple[int, int]
Wanted = tuple[Profile, CodecTarget]
"""A profile and the one of its codecs that is meant."""

MAX_LONG_SIDE = 2560
"""21:9 at 1080 is 2520 wide; what is wider is made smaller as a whole, unless the profile has larger rungs than 1440."""
MIN_SIDE = 16
"""One macroblock: a longer scale-down never makes a side smaller than this."""
TOO_NEAR = 0.87
"""A nominal rung of more than this share of the top's short side adds nothing to it."""
MIN_STEP = 1.4
"""A rung is kept if the one above may use this many times its rate (HLS authoring asks for 1.5-2)."""
RATE_EXPONENT = 0.75
"""Bits grow slower than pixels."""
IDR_BITS_PER_PIXEL = 0.15
"""The least a key picture needs to be recognisable; see docs/decisions/0001-rate-cap-floor.md."""
BUFFER_SECONDS = 2
"""VBV buffer in seconds of the cap: one GOP, so that an IDR may take what its GOP has."""


def plan(facts: SourceFacts, profile: Profile) -> Plan:
    """What is made of a source where no quality is aimed at: a ladder for each codec of the profile, all on one grid.

    Raises StepFailure `no_video_stream` if there is no picture to plan for.
    """
    if facts.video is None:
        raise StepFailure("no_video_stream")
    grid = plan_grid(facts.video, profile.video)
    ladders = [ladder(facts, profile, codec, grid) for codec in codecs(facts.video, profile)]
    return Plan(ladders=tuple(ladders), chunks=plan_chunks(facts, *ladders), look=_look(facts, facts.video, profile))


def _look(facts: SourceFacts, video: VideoFacts, profile: Profile) -> Look:
    grid = first_look.look_grid(video, profile.video)
    size = rung_sizes(video.display_size, [first_look.SIDE])[0]
    return first_look.plan_look(facts, _rung(size, facts, (profile, first_look.CODEC), grid), grid)


def codecs(video: VideoFacts, profile: Profile) -> list[CodecTarget]:
    """Those of the profile's codecs that are used for this picture."""
    return [codec for codec in profile.video.codecs if video.hdr or not codec.hdr]


def ladder(facts: SourceFacts, profile: Profile, codec: CodecTarget, grid: Grid) -> Ladder:
    """Best rung first, at least one."""
    video = facts.video
    if video is None:
        raise StepFailure("no_video_stream")
    rungs = [_rung(size, facts, (profile, codec), grid) for size in sizes(video, (profile, codec))]
    return Ladder(rungs=tuple(_spaced(rungs)), grid=codec_grid(grid, codec))


def codec_grid(grid: Grid, codec: CodecTarget) -> Grid:
    """The asset's grid, with as many key pictures as the codec bears. AV1 has one a segment: it gives them so many bits that
    twice as many cost it up to half as much again (885 instead of 570 kbit/s where little moves)."""
    return grid.model_copy(update={"gop_frames": grid.segment_frames}) if codec.codec == "av1" else grid


def sizes(video: VideoFacts, wanted: Wanted) -> list[Size]:
    """Those that a profile's codec may have of this picture, from the top down."""
    profile, codec = wanted
    return rung_sizes(video.display_size, codec.rungs or [target.short_side for target in profile.video.rungs])


def rung_sizes(source: Size, nominal: Sequence[int]) -> list[Size]:
    """Even sizes from the top rung (the source's own size, capped) down, in the source's shape and never upscaled."""
    top = _top_size(source, max(nominal))
    lower = sorted((side for side in set(nominal) if side < min(top) * TOO_NEAR), reverse=True)
    return [top, *(_scaled(source, side / min(source)) for side in lower)]


def _top_size(source: Size, short_cap: int) -> Size:
    long_cap = max(MAX_LONG_SIDE, short_cap * 16 / 9)
    return _scaled(source, min(1.0, short_cap / min(source), long_cap / max(source)))


def _scaled(source: Size, factor: float) -> Size:
    """Both sides by the factor, even; a side is not made smaller than a macroblock unless it was so before."""
    width, height = (_even(max(side * factor, min(side, MIN_SIDE))) for side in source)
    return width, height


def _even(side: float) -> int:
    """Down to even (upscaling by one pixel would still be upscaling), but up for pictures below a macroblock."""
    whole = round(side)
    return whole - whole % 2 if whole > MIN_SIDE else max(2, whole + whole % 2)


def rung_name(size: Size, codec: CodecTarget) -> str:
    """`720p`, `720p-av1`, `1080p-hevc-hdr`."""
    return f"{min(size)}p" + ("" if codec.codec == "h264" else f"-{codec.codec}") + ("-hdr" if codec.hdr else "")


def _rung(size: Size, facts: SourceFacts, wanted: Wanted, grid: Grid) -> Rung:
    codec = wanted[1]
    return rung(size, codec, facts, (codec.crf, rate_cap(size, facts, wanted, grid)))


def rate_cap(size: Size, facts: SourceFacts, wanted: Wanted, grid: Grid) -> int:
    """The most that a rung of this size may use for a while: what the profile allows, and never more than its share of what
    the source has."""
    nominal = nominal_rate(size, wanted, grid)
    return max(floor_rate(size, grid), min(nominal, source_share(size, facts)))


def rung(size: Size, codec: CodecTarget, facts: SourceFacts, aim: tuple[float, int]) -> Rung:
    """`aim`: the CRF, and the cap in bits per second."""
    crf, cap = aim
    kept = facts.video if codec.hdr else None
    return Rung(
        name=rung_name(size, codec),
        width=size[0],
        height=size[1],
        codec=codec.codec,
        preset=codec.preset,
        crf=crf,
        hdr=kept.hdr if kept else None,
        mastering=believed_mastering(kept) if kept else None,
        light=believed_light(kept) if kept else None,
        max_bitrate=cap,
        buffer_bits=cap * BUFFER_SECONDS,
    )


def nominal_rate(size: Size, wanted: Wanted, grid: Grid) -> int:
    """The profile's cap for the nearest nominal rung, fitted to this size, to frame rates above 30 and to the codec."""
    profile, codec = wanted
    target = min(profile.video.rungs, key=lambda rung: abs(rung.short_side - min(size)))
    share = (_pixels(size) / _nominal_pixels(target)) ** RATE_EXPONENT
    speed = 1 + 0.5 * min(1.0, max(0.0, float(grid.fps / 30 - 1)))
    return int(int(target.max_bitrate * share * speed) * codec.rate)


def _nominal_pixels(target: RungTarget) -> int:
    return target.short_side * target.short_side * 16 // 9


def source_share(size: Size, facts: SourceFacts) -> int:
    """What the source itself spends, for the pixels that the rung keeps of it. Without a known rate: no bound."""
    spent = source_bitrate(facts)
    shown = facts.video.display_size if facts.video else size
    kept = min(1.0, _pixels(size) / _pixels(shown))
    return int(spent * kept**RATE_EXPONENT) if spent else 2**31


def source_bitrate(facts: SourceFacts) -> int | None:
    """Bits per second of the source's picture: as probed, else what is left of the whole file's rate."""
    if facts.video is not None and facts.video.bitrate:
        return facts.video.bitrate
    whole = facts.bitrate or (facts.size * 8 / facts.duration if facts.duration > 0 else 0)
    left = int(whole) - sum(stream.bitrate or 0 for stream in facts.audio)
    return left if left > 0 else None


def floor_rate(size: Size, grid: Grid) -> int:
    gop_seconds = Fraction(grid.gop_frames) / grid.fps
    return max(1000, int(_pixels(size) * IDR_BITS_PER_PIXEL / gop_seconds))


def _spaced(rungs: Sequence[Rung]) -> list[Rung]:
    kept = [rungs[0]]
    for rung in rungs[1:]:
        if kept[-1].max_bitrate >= rung.max_bitrate * MIN_STEP:
            kept.append(rung)
    return kept


def _pixels(size: Size) -> int:
    return size[0] * size[1]
