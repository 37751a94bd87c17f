from __future__ import annotations

import pytest

from rushes.plan import Rung
from rushes.transcoder.trial_encodes import bitrate, lasting, spread


def test_a_window_counts_as_whole_gops():
    whole = [6000, *[100] * 59]
    assert bitrate(whole, 30, 60, 0) == pytest.approx(8 * sum(whole) / 2)
    assert bitrate(whole[:20], 30, 60, 0) == pytest.approx(8 * sum(whole) / 2)


def test_every_cut_costs_as_much_as_a_key_picture():
    assert bitrate([6000, 100], 30, 60, 1.0) - bitrate([6000, 100], 30, 60, 0) == pytest.approx(8 * 5900)


def test_no_more_than_every_picture_is_a_key_picture():
    assert bitrate([500], 10, 20, 99.0) == pytest.approx(8 * 500 * 10)
    assert bitrate([500, 900], 10, 20, 0) == pytest.approx(8 * 900 * 10)


@pytest.mark.parametrize(
    ("frames", "samples", "scored"), [(60, 5, (6, 18, 30, 42, 54)), (20, 3, (3, 10, 16)), (4, 3, (0, 3)), (1, 5, (0,))]
)
def test_a_few_pictures_of_a_window_are_scored(frames, samples, scored):
    assert spread(frames, samples) == scored


def test_a_long_encode_is_not_as_good_as_its_beginning():
    def gained(crf: float, vmaf: float, codec: str = "h264") -> float:
        rung = Rung(name="t", width=640, height=360, codec=codec, crf=crf, max_bitrate=1, buffer_bits=1)
        return lasting(rung, vmaf) - vmaf

    assert abs(gained(24, 94.0)) < 0.3 < gained(34, 65.0) < 3
    assert gained(34, 100.0) == 0
    assert gained(46, 80.0, "av1") == pytest.approx(0)
