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
_FEW = 3
"""Odd distances that damage leaves: a hole, and one on each side of it where pictures are not coded in their order. Pauses
that take much of the time are no damage."""

_SHAKEN, _DOUBLE = 0.05, 1.7
"""A rhythm is shaken, but without holes, if the usual distance is near the average one and the short ones are not half of it."""
_MOST_LEFT_OUT = 0.05
_PHASES = (0.0, 0.25, 0.5, 0.75)
_LOW = 0.1
"""The quantile of the distances that stands for the short ones: fewer are too few to count."""
_AROUND, _ROUNDS = 1.45, 4
_LIVELIEST, _MOST_REPEATED = 60.0, 8
"""Frames a second, and frames for a picture on average: what stands still for long is not worth hundreds."""


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
    odd = [gap for gap in gaps if not _is_usual(gap, usual, tick)]
    few = min(_FEW, len(gaps) // 4) if sum(odd) < sum(gaps) / 3 else 0
    return len(odd) > max(1, few, len(gaps) * _ODD_SHARE)


def lively_rate(times: Sequence[float], average: float) -> float:
    """The constant rate that shows the pictures of a varying one, at least `average`.

    The average where that is the rhythm itself, only shaken, or where it leaves out hardly any picture. Else the rate at which
    pictures follow each other where they do, not counting a few that follow at once; up to 60, and never so high that most
    frames would be repeats.
    """
    gaps = _gaps(times)
    if not gaps or _left_out(times, average) <= _MOST_LEFT_OUT:
        return average
    lively = 1 / _short(gaps)
    if lively < average * _DOUBLE and abs(1 / median(gaps) - average) <= average * _SHAKEN:
        return average
    return max(average, min(lively, _LIVELIEST, average * _MOST_REPEATED))


def _left_out(times: Sequence[float], rate: float) -> float:
    """The share of the pictures that a constant rate has no frame for, wherever its first one lies."""
    ordered = sorted(set(times))
    shown = max(len({round((time - ordered[0]) * rate + phase) for time in ordered}) for phase in _PHASES)
    return 1 - shown / len(ordered)


def _short(gaps: Sequence[float]) -> float:
    """The usual one of the short gaps: the mean of those around a low quantile, without the tiniest and without what is twice
    as long."""
    usual = sorted(gaps)[int(len(gaps) * _LOW)]
    for _ in range(_ROUNDS):
        near = [gap for gap in gaps if usual / _AROUND < gap < usual * _AROUND]
        usual = sum(near) / len(near)
    return usual


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
