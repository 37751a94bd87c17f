from __future__ import annotations

from fractions import Fraction

import pytest

from rushes.model import TracksResult
from rushes.plan import Grid, Ladder, Rung, Viewing
from rushes.transcoder.correction import corrected, is_damaged

GRID = Grid(fps=Fraction(30), gop_frames=60, segment_frames=120)
RATES = {"720p": 500_000.0}


def ladder(vmaf: float | None = 94.0, crf: float = 26.0, codec: str = "h264") -> Ladder:
    one = Rung(
        name="720p", width=1280, height=720, codec=codec, crf=crf, vmaf=vmaf, max_bitrate=10**6, buffer_bits=10**6
    )
    return Ladder(rungs=(one,), grid=GRID, viewing=Viewing(model="phone", width=1280, height=720))


@pytest.mark.parametrize("found", [92.0, 94.0, 96.0])
def test_what_is_near_enough_stays(found):
    assert corrected(ladder(), {"720p": found}, RATES, 20) == ()


@pytest.mark.parametrize(("found", "low", "high"), [(90.0, 22.5, 24), (98.0, 28.5, 31)])
def test_what_is_off_is_moved_by_about_a_crf_a_point(found, low, high):
    [rung] = corrected(ladder(), {"720p": found}, RATES, 20)
    assert low <= rung.crf <= high
    assert rung.vmaf == 94.0


def test_no_move_leaves_the_range_or_is_long():
    [rung] = corrected(ladder(crf=27), {"720p": 60.0}, RATES, 20)
    assert rung.crf == 21
    assert corrected(ladder(crf=19), {"720p": 60.0}, RATES, 20) == ()


def test_what_nobody_expected_or_measured_stays():
    assert corrected(ladder(vmaf=None), {"720p": 60.0}, RATES, 20) == ()
    assert corrected(ladder(), {}, RATES, 20) == ()


def test_what_would_take_too_long_stays():
    assert corrected(ladder(), {"720p": 60.0}, RATES, 20) != ()
    assert corrected(ladder(), {"720p": 60.0}, RATES, 7200) == ()


def test_what_has_its_cap_is_given_no_more_but_may_be_given_less():
    full = {"720p": 700_000.0}
    assert corrected(ladder(), {"720p": 90.0}, full, 20) == ()
    assert corrected(ladder(), {"720p": 98.0}, full, 20) != ()


def test_what_is_damaged_is_left_as_it_is():
    assert is_damaged(TracksResult(tracks=()))
    assert is_damaged(TracksResult(tracks=(), decode_errors=1, missing_seconds=1.0))
