"""Frame rates: from timestamps to an exact ratio. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from statistics import median

_EXACT = 0.001
"""How near a measured rate has to be to a round one, of which the nearest is taken; 30 and 30000/1001 lie so far apart."""
_NEAR = 0.005
_ODD_SHARE = 0.02


def average_rate(times: Sequence[float]) -> float | None:
    """Frames per second of presentation times (in any order); None for fewer than two frames."""
    span = max(times) - min(times) if len(times) > 1 else 0.0
    return (len(times) - 1) / span if span > 0 else None


def usual_rate(times: Sequence[float], tick: float) -> float | None:
    """The rate without its gaps: a few lost frames, or a join, do not make a film slower."""
    gaps = _gaps(times)
    if not gaps:
        return None
    usual = [gap for gap in gaps if _is_usual(gap, median(gaps), tick)]
    return len(usual) / sum(usual) if usual else None


def is_variable(times: Sequence[float], tick: float) -> bool:
    """Whether more than a few distances between frames differ from the usual one.

    A distance is usual within a tenth, or two ticks of the container's clock (Matroska's is a millisecond).
    """
    gaps = _gaps(times)
    if len(gaps) < 3:
        return False
    usual = median(gaps)
    odd = sum(not _is_usual(gap, usual, tick) for gap in gaps)
    return odd > max(1, len(gaps) * _ODD_SHARE)


def median_rate(times: Sequence[float]) -> float | None:
    gaps = _gaps(times)
    return 1 / median(gaps) if gaps else None


def _gaps(times: Sequence[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(sorted(set(times)))]


def _is_usual(gap: float, usual: float, tick: float) -> bool:
    return abs(gap - usual) <= max(usual / 10, min(2 * tick, usual / 2))


def exact_rate(measured: Sequence[float | None], declared: Sequence[Fraction | None]) -> Fraction:
    """The ratio meant by measured rates, the best first: a round one that is near, else a declared one that agrees.

    With nothing measured, the first sane declared one; 25 where nothing at all is known.
    """
    sane = [rate for rate in declared if rate is not None and 0 < rate <= 1000]
    seen = [rate for rate in measured if rate is not None and rate > 0]
    candidates = seen or [float(rate) for rate in sane] or [25.0]
    for rate in candidates:
        nearest = _nearest_round(rate)
        if nearest is not None:
            return nearest
    agreeing = [rate for rate in sane if abs(float(rate) - candidates[0]) <= candidates[0] * _NEAR]
    return max((agreeing[0] if agreeing else Fraction(candidates[0])).limit_denominator(1001), Fraction(1, 1001))


def _nearest_round(rate: float) -> Fraction | None:
    """25, 30000/1001 and the like; a slideshow's one frame in so many whole seconds."""
    if rate < 1:
        seconds = round(1 / rate)
        return Fraction(1, seconds) if abs(rate * seconds - 1) <= _EXACT else None
    round_ones = [round(rate / float(factor)) * factor for factor in (Fraction(1), Fraction(1000, 1001))]
    nearest = min(round_ones, key=lambda ratio: abs(rate - float(ratio)))
    return nearest if abs(rate - float(nearest)) <= rate * _EXACT else None
