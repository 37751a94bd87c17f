"""Frame rates from timestamps."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.ffmpeg.rates import average_rate, exact_rate, is_variable, lively_rate, median_rate, usual_rate

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


def test_the_edges_of_a_hole_do_not_make_a_short_clip_variable() -> None:
    times = regular(24, 60)
    assert not is_variable([*times[:27], times[29], *times[33:]], 1 / 90000)
    assert is_variable([0.0, 0.1, 0.3, 0.6, 1.0, 1.5, 2.1], 1 / 90000)
    pauses = [start + number / 30 for start in (0, 2.7, 5.3) for number in range(6)]
    assert is_variable(pauses, 1 / 90000)


# -- The rate of what varies ------------------------------------------------------------------------------------------


def lively(times: list[float]) -> float:
    average = average_rate(times)
    assert average is not None
    return lively_rate(times, average)


def without(times: list[float], share: float) -> list[float]:
    """Some of them lost, the same ones each time."""
    return [time for number, time in enumerate(times) if number * 7919 % 1000 >= share * 1000]


def shaken(times: list[float], most: float) -> list[float]:
    return [time + most * ((number * 7919 % 201) / 100 - 1) for number, time in enumerate(times)]


def seconds_of(*rates: float) -> list[float]:
    """A second at each rate."""
    return [second + number / rate for second, rate in enumerate(rates) for number in range(int(rate))]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (without(regular(29.97, 300), 0.25), 29.97),  # a phone in the dark
        (without(regular(60, 600), 0.4), 60),
        ([second + number / 30 for second in range(20) for number in range(16)], 30),  # bursts, and then nothing
        (seconds_of(15, 15, 30, 30, 30), 30),
        (shaken(regular(30, 300), 0.003), 30),
        (shaken(regular(30, 300), 0.012), 30),
        (shaken(without(regular(30, 300), 0.2), 0.003), 30),
        ([*without(regular(30, 300), 0.2), *(n + 0.0123 for n in range(9))], 30),  # a few that follow at once
        ([n * 1001 / 24000 + (n % 2) / 240 for n in range(240)], 23.976),  # pulldown keeps its even motion
        ([number / 30 for number in range(180) if number % 3 != 1], 20),  # nothing is lost at the average
        (without(regular(120, 600), 0.3), 84),  # never below the average
        (seconds_of(*[1] * 19, 60), 79 / 19.98 * 8),  # it mostly stands still: no picture is shown for too many frames
        (seconds_of(*[1, 1, 60] * 7), 60),
    ],
)
def test_the_rate_that_shows_the_pictures_of_a_varying_one(times: list[float], expected: float) -> None:
    assert lively(sorted(times)) == pytest.approx(expected, rel=0.02)


@given(st.lists(st.floats(min_value=0.0005, max_value=20), min_size=1, max_size=120))
def test_a_varying_rate_keeps_its_bounds(gaps: list[float]) -> None:
    times = [0.0]
    for gap in gaps:
        times.append(times[-1] + gap)
    average = average_rate(times)
    assert average is not None
    found = lively_rate(times, average)
    assert average <= found <= max(average, min(60.0, 8 * average))
    # And when the film begins, or in which order its pictures are stored, changes nothing
    assert lively_rate(times[::-1], average) == found


@given(st.sampled_from([15, 24, 25, 29.97, 30, 50, 60]), st.sets(st.integers(1, 298), min_size=20, max_size=120))
def test_what_was_lost_here_and_there_leaves_the_rate_of_the_rest(rate: float, lost: set[int]) -> None:
    times = [time for number, time in enumerate(regular(rate, 300)) if number not in lost]
    average = average_rate(times)
    assert average is not None
    found = lively_rate(times, average)
    slots = {round(time * found) for time in times}
    assert len(slots) >= 0.9 * len(times)
    assert found <= rate * 1.01
