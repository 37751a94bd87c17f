"""Bjontegaard's delta rate: how many more bits one set of renditions needs than another, at the same quality. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Point = tuple[float, float]
"""Bits per second, quality."""
SAMPLES = 1001


def bd_rate(anchor: Sequence[Point], test: Sequence[Point]) -> float:
    """Mean difference of log-rate over the range of quality that both have, as a share: -0.2 is a fifth fewer bits.

    Log-rate over quality is interpolated by a monotone piecewise cubic (Fritsch and Butland 1984; as in ITU-T HSTP-VID-WPOM
    and the JVET's sheets), since the third-degree polynomial of VCEG-M33 swings with more than four points. Raises
    ValueError where less than two points are given, or the ranges do not overlap.
    """
    (anchor_quality, anchor_rate), (test_quality, test_rate) = _curve(anchor), _curve(test)
    low, high = max(anchor_quality[0], test_quality[0]), min(anchor_quality[-1], test_quality[-1])
    if high <= low:
        raise ValueError("the two have no quality in common")
    at = np.linspace(low, high, SAMPLES)
    difference = _interpolate(at, test_quality, test_rate) - _interpolate(at, anchor_quality, anchor_rate)
    steps = (difference[1:] + difference[:-1]) / 2
    return float(np.exp(steps.mean()) - 1)


def rate_at(anchor: Sequence[Point], quality: float) -> float:
    """Bits per second that the anchor needs for a quality. Raises ValueError outside of its range."""
    qualities, rates = _curve(anchor)
    if not qualities[0] <= quality <= qualities[-1]:
        raise ValueError("the anchor has no such quality")
    return float(np.exp(_interpolate(np.array([quality]), qualities, rates)[0]))


def _curve(points: Sequence[Point]) -> tuple[np.ndarray, np.ndarray]:
    """Quality, rising, and the log-rate there. A point that costs more than a better one is not a choice."""
    kept: list[Point] = []
    for rate, quality in sorted(points):
        if not kept or quality > kept[-1][1]:
            kept.append((rate, quality))
    if len(kept) < 2:
        raise ValueError("a curve needs two points")
    rates, qualities = zip(*kept, strict=True)
    return np.array(qualities, dtype=float), np.log(np.array(rates, dtype=float))


def _interpolate(at: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Cubic Hermite with slopes that keep it monotone."""
    width, slope = np.diff(x), np.diff(y) / np.diff(x)
    tangent = np.empty_like(y)
    if len(x) == 2:
        tangent[:] = slope[0]
    else:
        before, after = 2 * width[1:] + width[:-1], width[1:] + 2 * width[:-1]
        tangent[1:-1] = (before + after) / (before / slope[:-1] + after / slope[1:])
        tangent[0], tangent[-1] = _end(width[:2], slope[:2]), _end(width[::-1][:2], slope[::-1][:2])
    index = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(width) - 1)
    t = (at - x[index]) / width[index]
    left = (1 + 2 * t) * (1 - t) ** 2 * y[index] + t * (1 - t) ** 2 * width[index] * tangent[index]
    right = t**2 * (3 - 2 * t) * y[index + 1] + t**2 * (t - 1) * width[index] * tangent[index + 1]
    return left + right


def _end(width: np.ndarray, slope: np.ndarray) -> float:
    """Of a three-point parabola, not beyond what stays monotone."""
    tangent = ((2 * width[0] + width[1]) * slope[0] - width[0] * slope[1]) / (width[0] + width[1])
    if tangent * slope[0] <= 0:
        return 0.0
    return float(np.sign(tangent) * min(abs(tangent), 3 * abs(slope[0])))
