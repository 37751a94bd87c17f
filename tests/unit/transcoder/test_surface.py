from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rushes.plan import ProbePoint, Viewing
from rushes.transcoder.surface import SCALES, fit, from_logit, slope, to_logit

PHONE = Viewing(model="phone", width=1280, height=720)
MEASURED = {
    # short side, CRF: bits per second, VMAF. A street, 720p, x264 veryfast: a real clip, encoded whole at every size.
    (720, 22): (1919e3, 96.0), (720, 26): (1182e3, 92.7), (720, 30): (731e3, 87.4), (720, 35): (406e3, 78.1),
    (540, 22): (1241e3, 92.7), (540, 26): (758e3, 88.7), (540, 30): (465e3, 82.2), (540, 35): (254e3, 70.2),
    (360, 22): (671e3, 84.7), (360, 26): (408e3, 79.4), (360, 30): (245e3, 71.1), (360, 35): (129e3, 56.2),
    (240, 22): (350e3, 71.7), (240, 26): (213e3, 64.8), (240, 30): (127e3, 54.9),
}  # fmt: skip
TRIED = [(720, 26), (540, 30), (360, 22), (360, 35), (240, 30)]


def point(side: int, crf: float, bitrate: float, vmaf: float) -> ProbePoint:
    return ProbePoint(width=side * 16 // 9, height=side, crf=crf, bitrate=round(bitrate), vmaf=vmaf)


@pytest.fixture(scope="module")
def street():
    return fit([point(*place, *MEASURED[place]) for place in TRIED], PHONE, "h264")


@pytest.mark.parametrize("place", sorted(set(MEASURED) - set(TRIED)))
def test_what_was_not_tried_is_predicted(street, place):
    bitrate, vmaf = MEASURED[place]
    assert street.vmaf(*place) == pytest.approx(vmaf, abs=2.0)
    assert street.bitrate(*place) == pytest.approx(bitrate, rel=0.1)


@pytest.mark.parametrize("place", TRIED)
def test_what_was_tried_is_met(street, place):
    bitrate, vmaf = MEASURED[place]
    assert street.vmaf(*place) == pytest.approx(vmaf, abs=0.8)
    assert street.bitrate(*place) == pytest.approx(bitrate, rel=0.05)


def test_one_trial_moves_a_whole_surface(street):
    easy = fit([point(720, 26, 300e3, 97.5)], PHONE, "h264")
    for side, crf in MEASURED:
        assert easy.vmaf(side, crf) > street.vmaf(side, crf)
        assert easy.bitrate(side, crf) < street.bitrate(side, crf)


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
@settings(deadline=None)
@given(vmaf=st.floats(60, 98), bitrate=st.integers(50_000, 8_000_000))
def test_more_bits_are_better_at_every_size(codec, vmaf, bitrate):
    scale = SCALES[codec]
    found = fit([point(720, scale.middle, bitrate, vmaf)], PHONE, codec)
    for side in (720, 540, 360):
        crfs = [scale.least, scale.middle, scale.most]
        rates, scores = [found.bitrate(side, crf) for crf in crfs], [found.vmaf(side, crf) for crf in crfs]
        assert rates == sorted(rates, reverse=True) and scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 100 for score in scores)


def test_the_crf_for_a_quality_is_the_largest_that_has_it(street):
    crf = street.crf_for(720, 92.0)
    assert street.vmaf(720, crf) >= 92.0 > street.vmaf(720, crf + SCALES["h264"].step)


def test_a_quality_that_no_crf_has_gives_the_best(street):
    assert street.crf_for(240, 94.0) == SCALES["h264"].least


def test_one_that_all_have_gives_the_cheapest():
    still = fit([point(720, 26, 20e3, 100.0), point(720, 34, 18e3, 100.0)], PHONE, "h264")
    assert still.crf_for(720, 60.0) == SCALES["h264"].most


@settings(deadline=None)
@given(st.floats(1, 100))
def test_the_logit_comes_back(vmaf):
    assert from_logit(to_logit(vmaf)) == pytest.approx(vmaf)


def test_a_crf_costs_about_one_point_near_the_top_and_more_below():
    assert -1.5 < slope("h264", 94) < -0.7
    assert slope("h264", 70) < slope("h264", 94) < 0
