from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.errors import StepFailure
from rushes.facts import AudioFacts, SourceFacts
from rushes.transcoder.ladder import MAX_LONG_SIDE, MIN_STEP, plan, rung_sizes, source_bitrate

NOMINAL = [1080, 720, 540, 360, 240]


def sizes(ladder):
    return [(rung.width, rung.height) for rung in ladder.rungs]


def test_a_1080p_source_gets_the_whole_ladder(make_facts, profile):
    ladder = plan(make_facts(), profile).ladders[0]
    assert [rung.name for rung in ladder.rungs] == ["1080p", "720p", "540p", "360p", "240p"]
    assert sizes(ladder) == [(1920, 1080), (1280, 720), (960, 540), (640, 360), (426, 240)]


def test_portrait_has_the_same_rungs_upright(make_facts, profile):
    turned = plan(make_facts(rotation=90), profile).ladders[0]
    assert sizes(turned)[:2] == [(1080, 1920), (720, 1280)]
    assert [rung.name for rung in turned.rungs] == [rung.name for rung in plan(make_facts(), profile).ladders[0].rungs]


def test_4k_is_capped_at_1080(make_facts, profile):
    assert sizes(plan(make_facts(width=3840, height=2160), profile).ladders[0])[0] == (1920, 1080)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ((480, 720), [(480, 720), (360, 540), (240, 360)]),
        ((641, 361), [(640, 360), (426, 240)]),
        ((568, 320), [(568, 320), (426, 240)]),
        ((800, 600), [(800, 600), (480, 360), (320, 240)]),  # 540 is within 13 % of 600
        ((320, 180), [(320, 180)]),
        ((16, 16), [(16, 16)]),
        ((1280, 16), [(1280, 16)]),
        ((16, 1280), [(16, 1280)]),
        ((8000, 16), [(2560, 16)]),
        ((1, 1), [(2, 2)]),
        ((15, 9), [(16, 10)]),
        ((2520, 1080), [(2520, 1080), (1680, 720), (1260, 540), (840, 360), (560, 240)]),
    ],
)
def test_sizes_follow_the_shape(source, expected):
    assert rung_sizes(source, NOMINAL) == expected


@given(st.integers(1, 16384), st.integers(1, 16384))
def test_sizes_are_even_never_upscaled_and_smaller_from_rung_to_rung(width, height):
    found = rung_sizes((width, height), NOMINAL)
    assert all(side % 2 == 0 and side >= 2 for size in found for side in size)
    assert all(w <= max(width, 16) + 1 and h <= max(height, 16) + 1 for w, h in found)
    assert all(w <= width and h <= height for w, h in found if min(width, height) > 16)
    assert max(found[0]) <= MAX_LONG_SIDE and min(found[0]) <= 1080
    shorts = [min(size) for size in found]
    assert shorts == sorted(set(shorts), reverse=True)


def test_sar_is_squared_before_planning(make_facts, profile):
    assert sizes(plan(make_facts(width=720, height=576, sar=Fraction(16, 11)), profile).ladders[0])[0] == (1046, 576)


def test_rates_never_exceed_the_source(make_facts, profile):
    # Given a clip of only 900 kbit/s
    ladder = plan(make_facts(bitrate=900_000), profile).ladders[0]
    # Then its top rung is capped there, and every lower rung below its share
    caps = [rung.max_bitrate for rung in ladder.rungs]
    assert caps[0] == 900_000
    assert caps == sorted(caps, reverse=True)


def test_a_rung_that_saves_too_little_is_dropped(make_facts, profile):
    ladder = plan(make_facts(bitrate=900_000), profile).ladders[0]
    caps = [rung.max_bitrate for rung in ladder.rungs]
    assert all(above >= below * MIN_STEP for above, below in pairwise(caps))
    assert "540p" in {rung.name for rung in ladder.rungs}


def test_the_floor_keeps_key_pictures_recognisable(make_facts, profile):
    # Given a nearly still 1080p screen recording of 5 kbit/s
    top = plan(make_facts(bitrate=5_000), profile).ladders[0].rungs[0]
    # Then the cap allows 0.15 bit per pixel for an IDR every two seconds, and not more
    assert top.max_bitrate == int(1920 * 1080 * 0.15 / 2)


def test_sixty_frames_may_take_half_as_much_again(make_facts, profile):
    slow, fast = (plan(make_facts(fps=Fraction(fps)), profile).ladders[0].rungs[0].max_bitrate for fps in (30, 60))
    assert (slow, fast) == (5_000_000, 7_500_000)


def test_the_nominal_cap_follows_the_pixels(make_facts, profile):
    square = plan(make_facts(width=1080, height=1080), profile).ladders[0].rungs[0]
    assert square.max_bitrate == int(5_000_000 * (1080 / 1920) ** 0.75)


def test_the_buffer_holds_one_gop(make_facts, profile):
    rung = plan(make_facts(), profile).ladders[0].rungs[0]
    assert rung.buffer_bits == 2 * rung.max_bitrate


def test_the_sources_rate_is_what_the_file_leaves_for_the_picture(make_facts):
    sound = AudioFacts(index=1, codec="aac", channels=2, sample_rate=48000, bitrate=128_000)
    facts = make_facts(bitrate=None, audio=(sound,), duration=10.0)
    assert source_bitrate(facts) == 40_000_000 * 8 / 10 - 128_000


def test_without_any_known_rate_the_profile_decides(make_facts, profile):
    facts = make_facts(bitrate=None, duration=0.0)
    assert source_bitrate(facts) is None
    assert plan(facts, profile).ladders[0].rungs[0].max_bitrate == 5_000_000


def test_no_picture_no_ladder(profile):
    with pytest.raises(StepFailure) as failure:
        plan(SourceFacts(container="mp4", demuxer="mov", size=1, duration=1.0), profile).ladders[0]
    assert failure.value.code == "no_video_stream"
