"""The plan of a storyboard."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.enrichment.sheet import LONG_SIDE, MOST_TILES, cues, plan, tile


def test_a_ten_second_clip_has_a_tile_a_second_in_one_row() -> None:
    sheet = plan(10, (1920, 1080))
    assert (sheet.count, sheet.columns, sheet.rows, sheet.interval) == (10, 10, 1, 1)
    assert (sheet.tile_width, sheet.tile_height) == (160, 90)
    assert sheet.times()[:2] == [0.5, 1.5]


def test_an_hour_has_a_hundred_tiles_at_most_in_rows() -> None:
    sheet = plan(3600, (1920, 1080))
    assert sheet.interval == 60
    assert (sheet.count, sheet.rows) == (60, 6)


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ((1920, 1080), (160, 90)),
        ((1080, 1920), (90, 160)),
        ((1280, 16), (160, 2)),
        ((16, 16), (16, 16)),
        ((641, 361), (160, 90)),
    ],
)
def test_tiles_follow_the_shape_and_never_grow(size: tuple[int, int], wanted: tuple[int, int]) -> None:
    assert tile(size) == wanted


def test_cues_name_the_sprite_and_the_place_of_each_tile() -> None:
    texts = [cue.text for cue in cues(plan(12, (1080, 1920)), "sprite.jpg")]
    assert texts[0] == "sprite.jpg#xywh=0,0,90,160"
    assert texts[11] == "sprite.jpg#xywh=90,160,90,160"


@given(st.floats(0.01, 200_000), st.integers(2, 8192), st.integers(2, 8192))
def test_tiles_cover_the_clip_without_gaps_inside_the_sprite(duration: float, width: int, height: int) -> None:
    sheet = plan(duration, (width, height))
    found = cues(sheet, "s")
    assert 1 <= sheet.count <= MOST_TILES
    assert sheet.interval >= 1
    assert found[0].start == 0
    assert found[-1].end == duration
    assert all(one.end == two.start for one, two in pairwise(found))
    assert all(0 < time < duration for time in sheet.times())
    left, top = sheet.corner(sheet.count - 1)
    assert left + sheet.tile_width <= sheet.width <= 10 * LONG_SIDE
    assert top + sheet.tile_height <= sheet.height
