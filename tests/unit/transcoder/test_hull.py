from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rushes.plan import ProbePoint, Viewing
from rushes.transcoder.hull import LEAST_GAP, LEAST_STEP, LOWEST, Bounds, choose, choose_below
from rushes.transcoder.surface import fit

SIZES = [(1280, 720), (960, 540), (768, 432), (640, 360), (426, 240)]
FREE = {size: Bounds(50_000_000, "no more than the source's own rate") for size in SIZES}


def surface(bitrate: float, vmaf: float, codec: str = "h264"):
    """Of a content that needs `bitrate` for `vmaf` at 720p and CRF 26."""
    one = ProbePoint(width=1280, height=720, crf=26, bitrate=round(bitrate), vmaf=vmaf)
    return fit([one], Viewing(model="phone", width=1280, height=720), codec)


def test_the_top_meets_the_target_and_each_rung_below_has_about_half_the_rate():
    chosen = choose(surface(1_200_000, 93), FREE, 94)
    assert chosen[0].vmaf == pytest.approx(94, abs=0.6)
    assert "at the target" in chosen[0].why
    for above, below in pairwise(chosen):
        assert above.bitrate / below.bitrate >= LEAST_STEP
        assert min(above.size) > min(below.size)
    for above, below in pairwise(chosen[:-1]):
        assert above.vmaf - below.vmaf >= LEAST_GAP
    assert chosen[-1].bitrate < 2 * LOWEST


def test_a_hard_content_gets_other_crfs_than_an_easy_one():
    hard, easy = choose(surface(3_000_000, 85), FREE, 94), choose(surface(400_000, 96), FREE, 94)
    assert hard[0].crf < easy[0].crf
    assert hard[0].bitrate > 3 * easy[0].bitrate
    assert len(hard) > len(easy)


def test_what_needs_next_to_nothing_gets_one_rung_at_its_own_size():
    [only] = choose(surface(30_000, 99.5), FREE, 94)
    assert only.size == (1280, 720)
    assert "only rung" in only.why


def test_no_rung_has_more_than_its_bound():
    bounds = {size: Bounds(600_000 * min(size) // 720, "no more than the source's own rate") for size in SIZES}
    chosen = choose(surface(3_000_000, 85), bounds, 94)
    assert chosen[0].bitrate <= bounds[chosen[0].size].bitrate
    assert "source's own rate" in chosen[0].why


def test_where_no_size_fits_its_bound_the_smallest_is_left():
    bounds = {size: Bounds(1000, "no more than the source's own rate") for size in SIZES}
    assert [choice.size for choice in choose(surface(3_000_000, 85), bounds, 94)] == [SIZES[-1]]


def test_a_size_that_needs_the_same_bits_is_taken_larger():
    """Upscaled sources: a smaller size is no cheaper than the whole one by more than a little."""
    chosen = choose(surface(1_200_000, 93), {SIZES[0]: FREE[SIZES[0]]}, 94)
    assert [choice.size for choice in chosen] == [SIZES[0]]


@settings(deadline=None)
@given(st.integers(60_000, 9_000_000), st.floats(70, 99), st.floats(85, 97))
def test_a_ladder_always_comes_out_and_falls(bitrate, vmaf, target):
    chosen = choose(surface(bitrate, vmaf), FREE, target)
    assert 1 <= len(chosen) <= len(SIZES)
    assert all(above.bitrate > below.bitrate and above.vmaf >= below.vmaf for above, below in pairwise(chosen))


def test_below_a_source_that_is_reused_there_is_at_least_one_rung():
    below = choose_below(surface(1_200_000, 93), FREE, ((1280, 720), 1_500_000))
    assert all(min(choice.size) < 720 for choice in below)
    assert below[0].bitrate <= 1_000_000
    few = choose_below(surface(30_000, 99.5), FREE, ((1280, 720), 100_000))
    assert len(few) == 1 and min(few[0].size) < 720
