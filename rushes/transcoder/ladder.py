"""The ladder: which renditions a source gets. Pure arithmetic on the probed facts and the profile.

A rung is named by the short side of the upright picture in square pixels, so portrait and landscape are treated alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from rushes.errors import StepFailure
from rushes.facts import SourceFacts
from rushes.model import Grid, Ladder, Rung
from rushes.profiles import Profile, RungTarget
from rushes.transcoder.grid import plan_grid

Size = tuple[int, int]

MAX_LONG_SIDE = 2560
"""21:9 at 1080 is 2520 wide; what is wider is made smaller as a whole."""
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


def plan(facts: SourceFacts, profile: Profile) -> Ladder:
    """The ladder of a source: best rung first, at least one, all on one grid.

    Raises StepFailure `no_video_stream` if there is no picture to plan for.
    """
    if facts.video is None:
        raise StepFailure("no_video_stream")
    grid = plan_grid(facts.video, profile.video)
    sizes = rung_sizes(facts.video.display_size, [target.short_side for target in profile.video.rungs])
    rungs = [_rung(size, facts, profile, grid) for size in sizes]
    return Ladder(rungs=tuple(_spaced(rungs)), grid=grid)


def rung_sizes(source: Size, nominal: Sequence[int]) -> list[Size]:
    """Even sizes from the top rung (the source's own size, capped) down, in the source's shape and never upscaled."""
    top = _top_size(source, max(nominal))
    lower = sorted((side for side in set(nominal) if side < min(top) * TOO_NEAR), reverse=True)
    return [top, *(_scaled(source, side / min(source)) for side in lower)]


def _top_size(source: Size, short_cap: int) -> Size:
    return _scaled(source, min(1.0, short_cap / min(source), MAX_LONG_SIDE / max(source)))


def _scaled(source: Size, factor: float) -> Size:
    """Both sides by the factor, even; a side is not made smaller than a macroblock unless it was so before."""
    width, height = (_even(max(side * factor, min(side, MIN_SIDE))) for side in source)
    return width, height


def _even(side: float) -> int:
    """Down to even (upscaling by one pixel would still be upscaling), but up for pictures below a macroblock."""
    whole = round(side)
    return whole - whole % 2 if whole > MIN_SIDE else max(2, whole + whole % 2)


def _rung(size: Size, facts: SourceFacts, profile: Profile, grid: Grid) -> Rung:
    cap = max(_floor_rate(size, grid), min(_nominal_rate(size, profile, grid), _source_share(size, facts)))
    return Rung(
        name=f"{min(size)}p",
        width=size[0],
        height=size[1],
        crf=profile.video.crf,
        max_bitrate=cap,
        buffer_bits=cap * BUFFER_SECONDS,
    )


def _nominal_rate(size: Size, profile: Profile, grid: Grid) -> int:
    """The profile's cap for the nearest nominal rung, fitted to this size and to frame rates above 30."""
    target = min(profile.video.rungs, key=lambda rung: abs(rung.short_side - min(size)))
    share = (_pixels(size) / _nominal_pixels(target)) ** RATE_EXPONENT
    speed = 1 + 0.5 * min(1.0, max(0.0, float(grid.fps / 30 - 1)))
    return int(target.max_bitrate * share * speed)


def _nominal_pixels(target: RungTarget) -> int:
    return target.short_side * target.short_side * 16 // 9


def _source_share(size: Size, facts: SourceFacts) -> int:
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


def _floor_rate(size: Size, grid: Grid) -> int:
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
