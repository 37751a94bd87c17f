from __future__ import annotations

import pytest

from rushes.profiles import AudioTargets
from rushes.tracks import Loudness
from rushes.transcoder.loudness import Level, corrected, filters, level_for, read_loudness

TARGETS = AudioTargets(loudness=-16.0, true_peak=-1.0)
SUMMARY = """[Parsed_ebur128_1 @ 0x7f7a] [info] Summary:

  Integrated loudness:
    I:         {integrated} LUFS
    Threshold: -30.3 LUFS

  Loudness range:
    LRA:         4.5 LU
    Threshold: -40.2 LUFS
    LRA low:   -22.0 LUFS
    LRA high:  -17.5 LUFS

  True peak:
    Peak:       {peak} dBFS
[out#0/null @ 0x5560] [info] video:0KiB
"""


def summary(integrated: object, peak: object) -> str:
    return SUMMARY.format(integrated=integrated, peak=peak)


def test_the_meters_summary_is_read():
    assert read_loudness(summary(-20.3, -3.5)) == Loudness(integrated=-20.3, range=4.5, true_peak=-3.5)


def test_a_title_that_looks_like_a_summary_is_not_the_last_word():
    found = read_loudness("title : " + summary(-1.0, 0.0) + summary(-20.3, -3.5))
    assert found is not None
    assert found.integrated == -20.3


@pytest.mark.parametrize(("integrated", "peak"), [(-70.0, "-inf"), ("nan", "-inf"), ("-inf", "nan")])
def test_silence_and_what_is_too_short_have_no_loudness(integrated, peak):
    assert read_loudness(summary(integrated, peak)) == Loudness()
    assert level_for(Loudness(), TARGETS, 2) == Level()


def test_no_summary():
    assert read_loudness("[error] nothing decoded") is None
    assert level_for(None, TARGETS, 2) == Level()


@pytest.mark.parametrize(
    ("integrated", "peak", "expected"),
    [
        (-20.0, -10.0, Level(4.0)),  # there is room: one gain
        (-10.0, 0.5, Level(-6.0)),  # too loud: softer, and no peak is left to hold
        (-20.0, -3.5, Level(4.0, -2.0)),  # its peaks would pass the ceiling
        (-50.0, -40.0, Level(20.0)),  # so much and no more
        (-56.0, -40.0, Level()),  # a room's noise stays as it is
        (-40.0, -3.0, Level(13.0, -2.0)),  # peaks are held by 12 dB at most
    ],
)
def test_the_gain(integrated, peak, expected):
    assert level_for(Loudness(integrated=integrated, true_peak=peak), TARGETS, 2) == expected


def test_without_a_target_only_a_sum_of_channels_is_held():
    found = Loudness(integrated=-30.0, true_peak=-3.0)
    plain = AudioTargets()
    assert level_for(found, plain, 2) == Level()
    assert level_for(found, plain, 6) == Level(0.0, -2.0)


def test_what_the_limiter_took_is_given_back_once():
    level = Level(10.0, -2.0)
    assert corrected(level, Loudness(integrated=-16.6, true_peak=-2.0), TARGETS) == Level(10.6, -2.0)
    assert corrected(level, Loudness(integrated=-16.1, true_peak=-2.0), TARGETS) == level
    assert corrected(level, Loudness(integrated=-30.0, true_peak=-2.0), TARGETS) == Level(13.0, -2.0)
    assert corrected(Level(5.0), Loudness(integrated=-20.0), TARGETS) == Level(5.0)


def test_nothing_to_do_needs_no_filter():
    assert filters(Level()) == []
    assert filters(Level(-3.0)) == ["volume=volume=-3dB:precision=float"]
