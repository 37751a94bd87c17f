from __future__ import annotations

import numpy as np
import pytest

from bench.bjontegaard import bd_rate, rate_at

PUBLISHED = (
    list(zip((686.76, 309.58, 157.11, 85.95), (40.28, 37.18, 34.24, 31.42), strict=True)),
    list(zip((893.34, 407.8, 204.93, 112.75), (40.39, 37.21, 34.17, 31.24), strict=True)),
)
"""The example that goes with most implementations."""


def polynomial(anchor, test):
    """VCEG-M33: cubic polynomials through four points each."""
    fits = [
        np.polyint(np.polyfit([quality for _, quality in each], np.log([rate for rate, _ in each]), 3))
        for each in (anchor, test)
    ]
    low, high = max(anchor[-1][1], test[-1][1]), min(anchor[0][1], test[0][1])
    first, second = (np.polyval(fit, high) - np.polyval(fit, low) for fit in fits)
    return float(np.exp((second - first) / (high - low)) - 1)


def test_the_usual_example_agrees_with_the_original_method():
    assert bd_rate(*PUBLISHED) == pytest.approx(polynomial(*PUBLISHED), abs=0.002)
    assert bd_rate(*PUBLISHED) == pytest.approx(0.314, abs=0.001)


@pytest.mark.parametrize("share", [0.5, 0.8, 1.0, 1.3])
def test_the_same_curve_at_a_share_of_the_rate(share):
    anchor = [(100.0, 40.0), (200.0, 60.0), (500.0, 80.0), (900.0, 92.0), (2000.0, 97.0)]
    assert bd_rate(anchor, [(rate * share, quality) for rate, quality in anchor]) == pytest.approx(share - 1)


def test_either_may_have_only_two_points_and_be_given_in_any_order():
    anchor = [(400.0, 80.0), (100.0, 40.0)]
    assert bd_rate(anchor, [(100.0, 50.0), (400.0, 90.0)]) == pytest.approx(4 ** (-10 / 40) - 1)


def test_a_point_that_costs_more_than_a_better_one_does_not_count():
    anchor = [(100.0, 40.0), (400.0, 80.0)]
    assert bd_rate(anchor, [*anchor, (300.0, 35.0)]) == pytest.approx(0)


@pytest.mark.parametrize("test", [[(100.0, 40.0)], [(100.0, 90.0), (200.0, 95.0)]])
def test_what_cannot_be_compared_is_refused(test):
    with pytest.raises(ValueError, match=r"two points|in common"):
        bd_rate([(100.0, 40.0), (400.0, 80.0)], test)


def test_the_rate_at_a_quality_lies_on_the_curve():
    anchor = [(100.0, 40.0), (400.0, 80.0)]
    assert rate_at(anchor, 40.0) == pytest.approx(100)
    assert rate_at(anchor, 60.0) == pytest.approx(200)
    with pytest.raises(ValueError, match="no such quality"):
        rate_at(anchor, 81.0)
