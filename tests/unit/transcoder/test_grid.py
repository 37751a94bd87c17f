from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.transcoder.grid import COMMON_RATES, frame_rate, plan_grid


@pytest.mark.parametrize("rate", COMMON_RATES)
def test_common_rates_stay_exact(rate):
    assert frame_rate(rate, 60) == rate


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        ("29.953", Fraction(30000, 1001)),
        ("29.976", Fraction(30000, 1001)),
        ("30.02", Fraction(30)),
        ("24.038", Fraction(24)),
        ("23.976", Fraction(24000, 1001)),
        ("59.94", Fraction(60000, 1001)),
    ],
)
def test_a_measured_average_becomes_the_common_rate_it_means(measured, expected):
    assert frame_rate(Fraction(measured), 60) == expected


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (240, 60),
        (120, 60),
        (Fraction(120000, 1001), Fraction(60000, 1001)),
        (100, 50),
        (90, 45),
        (1000, Fraction(125, 2)),
    ],
)
def test_too_fast_a_source_is_halved_until_it_fits(rate, expected):
    limit = 63 if rate == 1000 else 60
    assert frame_rate(Fraction(rate), limit) == expected


@pytest.mark.parametrize(
    ("average", "expected"), [("22.352", 24), ("28.028", 30), ("27.5", 30), ("16.746", 17), ("45.3", 50), ("55", 60)]
)
def test_a_varying_rate_is_rounded_up_so_that_no_picture_is_lost(average, expected):
    assert frame_rate(Fraction(average), 60, vfr=True) == expected


@pytest.mark.parametrize(("rate", "expected"), [("12.5", Fraction(25, 2)), ("15", 15), ("10", 10), ("1", 1)])
def test_an_exact_uncommon_rate_is_kept(rate, expected):
    assert frame_rate(Fraction(rate), 60) == expected


@pytest.mark.parametrize("rate", [Fraction(1, 60), Fraction(1, 3600), Fraction(0), Fraction(-5)])
def test_slides_get_at_least_one_frame_a_second(rate):
    assert frame_rate(rate, 60) >= 1


@given(
    st.fractions(min_value="1/100000", max_value=10_000, max_denominator=100_000), st.booleans(), st.integers(10, 120)
)
def test_every_rate_ends_between_one_and_the_maximum(rate, vfr, limit):
    result = frame_rate(rate, limit, vfr=vfr)
    assert 1 <= result <= limit * Fraction(101, 100)
    assert result.numerator <= 100_000_000 and result.denominator <= 100_000


@pytest.mark.parametrize(
    ("fps", "gop", "segment"),
    [("30000/1001", 60, 120), ("24000/1001", 48, 96), ("25", 50, 100), ("60", 120, 240), ("1/60", 2, 4)],
)
def test_gops_are_two_seconds_in_whole_frames(make_facts, profile, fps, gop, segment):
    grid = plan_grid(make_facts(fps=Fraction(fps)).video, profile.video)
    assert (grid.gop_frames, grid.segment_frames) == (gop, segment)


def test_a_gop_has_at_least_one_frame(make_facts, profile):
    targets = profile.video.model_copy(update={"gop_seconds": 0.1})
    assert plan_grid(make_facts(fps=Fraction(1)).video, targets).gop_frames == 1
