"""The asset's segment grid: a constant frame rate taken from the source, and the frames of a GOP and of a segment."""

from __future__ import annotations

from fractions import Fraction

from rushes.facts import VideoFacts
from rushes.plan import Grid
from rushes.profiles import VideoTargets

COMMON_RATES = (
    Fraction(24000, 1001),
    Fraction(24),
    Fraction(25),
    Fraction(30000, 1001),
    Fraction(30),
    Fraction(50),
    Fraction(60000, 1001),
    Fraction(60),
)
SNAP = Fraction(1, 100)
"""A rate this close to a common one is that one: measured averages are never exact. 24 and 25 are 4 % apart."""
EXACT_DENOMINATORS = (1, 2, 1001)
SLOW = 20
"""Below it (webcams, animations, slides) there is no customary rate to round up to."""


def plan_grid(video: VideoFacts, targets: VideoTargets) -> Grid:
    """One constant rate of at least 1 and at most `max_fps` frames a second, and IDRs every `gop_seconds` of it."""
    fps = frame_rate(video.fps, targets.max_fps, vfr=video.vfr)
    gop = max(1, round(Fraction(targets.gop_seconds) * fps))
    return Grid(fps=fps, gop_frames=gop, segment_frames=gop * max(1, targets.segment_gops))


def frame_rate(rate: Fraction, max_fps: int, *, vfr: bool = False) -> Fraction:
    """The constant rate for a source of `rate` (if it varies, one that shows its pictures).

    Too fast a source is halved until it fits, so that every n-th frame is kept and motion stays even. A varying rate
    between the customary ones is rounded up: its frames then keep their own times to within half a frame.
    """
    if rate <= 0:
        return Fraction(min(25, max_fps))
    while rate > max_fps * (1 + SNAP):
        rate /= 2
    nearest = min(COMMON_RATES, key=lambda common: abs(common - rate))
    if abs(nearest - rate) <= rate * SNAP and nearest <= max_fps:
        return nearest
    if not vfr and rate >= 1 and rate.denominator in EXACT_DENOMINATORS and rate <= max_fps:
        return rate
    return _rounded(rate, max_fps)


def _rounded(rate: Fraction, max_fps: int) -> Fraction:
    if rate < SLOW:
        return Fraction(min(max_fps, max(1, round(rate))))
    above = [common for common in COMMON_RATES if common.denominator == 1 and rate <= common <= max_fps]
    return min(above, default=Fraction(max_fps))
