from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rushes.transcoder.windows import MOST, SHARE, Window, choose

GOP = 60


def gops(*values: float) -> list[tuple[int, float]]:
    return [(number * GOP, value) for number, value in enumerate(values)]


def test_one_shot_is_tried_once_where_it_is_as_busy_as_usual():
    found = choose(gops(3.0, 3.2, 3.1, 3.4, 3.15), 5 * GOP, GOP, cuts=0)
    assert [window.first for window in found] == [4 * GOP]


def test_several_scenes_are_tried_where_they_are_calm_usual_and_busy():
    values = [1.0, 1.1, 1.2, 4.0, 4.1, 4.2, 7.0, 7.1, 7.2]
    found = choose(gops(*values), 9 * GOP, GOP, cuts=2)
    assert [window.first for window in found] == [1 * GOP, 4 * GOP, 7 * GOP]


def test_long_contents_are_tried_in_whole_gops_and_short_ones_in_parts():
    values = [float(number % 7) for number in range(600)]
    assert {window.frames for window in choose(gops(*values), 600 * GOP, GOP, cuts=9)} == {GOP}
    assert all(window.frames < GOP for window in choose(gops(1.0, 5.0, 1.0), 3 * GOP, GOP, cuts=1))


@settings(deadline=None)
@given(st.lists(st.floats(0, 20), min_size=1, max_size=60), st.integers(0, 5), st.integers(1, 60))
def test_windows_lie_inside_and_are_few(values, cuts, rest):
    frames = (len(values) - 1) * GOP + rest
    found = choose(gops(*values), frames, GOP, cuts=cuts)
    assert 1 <= len(found) <= MOST
    assert len(set(found)) == len(found)
    assert all(window.first + window.frames <= frames and window.frames >= 1 for window in found)
    assert sum(window.frames for window in found) <= max(GOP, round(SHARE * frames) + MOST)


def test_what_is_shorter_than_a_window_is_tried_as_it_is():
    assert choose(gops(2.0), 25, GOP, cuts=0) == [Window(0, 25)]


def test_what_is_hardly_longer_than_a_gop_is_tried_in_its_middle():
    assert choose(gops(2.0, 2.0), 66, GOP, cuts=0) == [Window(13, 40)]
    assert choose(gops(2.0, 9.0), 100, GOP, cuts=0) == [Window(0, 20), Window(60, 20)]
