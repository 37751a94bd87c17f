"""Frame rates from timestamps."""

from __future__ import annotations

from fractions import Fraction

import pytest

from rushes.ffmpeg.rates import average_rate, exact_rate, is_variable, median_rate, usual_rate

NTSC = Fraction(30000, 1001)


def regular(rate: float, count: int, tick: float = 1 / 90000) -> list[float]:
    return [round(number / rate / tick) * tick for number in range(count)]


@pytest.mark.parametrize(
    ("measured", "declared", "expected"),
    [
        ([29.97003], [], NTSC),
        ([29.9702], [NTSC], NTSC),
        ([23.976], [], Fraction(24000, 1001)),
        ([30.02], [Fraction(30)], Fraction(30)),
        ([25.0], [Fraction(90000)], Fraction(25)),
        ([1 / 60], [], Fraction(1, 60)),
        ([24.04, 24.0], [Fraction(289, 12)], Fraction(24)),
        ([22.35], [Fraction(2235, 100)], Fraction(447, 20)),
        ([None], [None, NTSC], NTSC),
        ([None], [Fraction(90000)], Fraction(25)),
        ([], [], Fraction(25)),
    ],
)
def test_the_ratio_that_was_meant(
    measured: list[float | None], declared: list[Fraction | None], expected: Fraction
) -> None:
    assert exact_rate(measured, declared) == expected


@pytest.mark.parametrize("rate", [1, 10, 23.976, 24, 25, 29.97, 50, 59.94, 60, 120, 240])
@pytest.mark.parametrize("tick", [1 / 90000, 0.001])
def test_regular_times_are_not_variable_in_any_clock(rate: float, tick: float) -> None:
    times = regular(rate, 300, tick)
    assert not is_variable(times, tick)
    found = exact_rate([usual_rate(times, tick), median_rate(times)], [])
    assert float(found) == pytest.approx(rate, rel=2e-3)


def test_the_order_of_coding_does_not_matter() -> None:
    times = regular(25, 12)
    shuffled = [times[index] for index in (0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 11, 10)]
    assert not is_variable(shuffled, 1 / 90000)
    assert average_rate(shuffled) == pytest.approx(25)


def test_lost_frames_make_a_rate_variable_only_if_there_are_many() -> None:
    times = regular(30, 300)
    one_lost = times[:100] + times[101:]
    many_lost = [time for number, time in enumerate(times) if number % 4 != 1]
    assert not is_variable(one_lost, 1 / 90000)
    assert is_variable(many_lost, 1 / 90000)


def test_one_gap_does_not_make_a_film_slower() -> None:
    times = [*regular(24, 40), *(10 + time for time in regular(24, 40))]
    assert usual_rate(times, 1 / 90000) == pytest.approx(24, rel=1e-3)
    assert average_rate(times) == pytest.approx(79 / (10 + 39 / 24), rel=1e-3)


def test_too_few_frames_say_nothing() -> None:
    assert average_rate([1.0]) is None
    assert usual_rate([], 0.001) is None
    assert average_rate([2.0, 2.0]) is None
    assert not is_variable([0.0, 1.0], 0.001)
