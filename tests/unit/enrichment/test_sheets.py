"""The plan of the sheets that players of HLS and DASH take."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.enrichment.sheet import plan
from rushes.enrichment.sheets import MOST_ON_SHEETS, plan_sheets


@pytest.mark.parametrize(
    ("seconds", "segment", "interval", "tiles", "layout", "sheets"),
    [
        ("0.04", 0.04, 1, 1, (1, 1), 1),
        ("7.5", 4, 1, 8, (5, 2), 1),
        ("60", 4, 1, 60, (5, 5), 3),
        ("150", 4, 2, 75, (5, 5), 3),
        ("300", 4, 5, 60, (5, 5), 3),
        ("1200", 4, 5, 240, (5, 5), 10),  # of key pictures there may be more
        ("1200", 6.5, 10, 120, (5, 5), 5),
        ("3600", 4, 10, 360, (5, 5), 15),
        ("14400", 4, 30, 480, (5, 5), 20),
    ],
)
def test_a_picture_every_few_seconds(
    seconds: str, segment: float, interval: int, tiles: int, layout: tuple[int, int], sheets: int
) -> None:
    found = plan_sheets(Fraction(seconds), segment)
    assert (found.interval, found.count, (found.columns, found.rows)) == (interval, tiles, layout)
    assert len(found.numbers()) == sheets


def test_the_last_sheet_ends_with_the_presentation() -> None:
    found = plan_sheets(Fraction(1201, 20), 4)
    assert found.ticks(90000) == [25 * 90000, 25 * 90000, round(10.05 * 90000)]
    assert found.numbers() == [range(25), range(25, 50), range(50, 61)]


@given(st.fractions(Fraction(1, 60), 400_000, max_denominator=90_000), st.floats(0.02, 12))
def test_sheets_cover_everything_once(duration: Fraction, segment: float) -> None:
    found = plan_sheets(duration, segment)
    ticks = found.ticks(90000)
    assert 1 <= found.count <= MOST_ON_SHEETS
    assert [number for sheet in found.numbers() for number in sheet] == list(range(found.count))
    assert len(ticks) == len(found.numbers())
    assert all(0 < each <= found.tiles * found.interval * 90000 for each in ticks)
    assert 0 <= list(accumulate(ticks))[-1] - duration * 90000 < 1
    times = found.times()
    assert times == sorted(times)
    assert all(0 < time <= duration for time in times)
    # and never fewer pictures than the sprite of the watch page, so one decoding serves both
    assert found.interval <= max(1, plan(float(duration), (160, 90)).interval) + 1
