"""Where somebody may be speaking."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.enrichment.voice import FRAME, is_silent, loudness, spans

RATE = 16_000


def tone(seconds: float, level: float) -> np.ndarray:
    """A sine of that peak level in dBFS."""
    time = np.arange(round(seconds * RATE)) / RATE
    return (np.sin(2 * np.pi * 440 * time) * 10 ** (level / 20) * 32767).astype(np.int16)


def test_loudness_is_in_decibels_below_full_scale() -> None:
    assert loudness(tone(1, -20), RATE) == pytest.approx(-23, abs=0.1)
    assert loudness(np.zeros(RATE, np.int16), RATE) == pytest.approx(-100)


@pytest.mark.parametrize("sound", [np.zeros(RATE, np.int16), np.zeros(0, np.int16), tone(2, -70), tone(0.05, -3)])
def test_silence_hiss_and_a_click_are_silent(sound: np.ndarray) -> None:
    assert is_silent(sound, RATE)


def test_a_quiet_voice_is_not_silent() -> None:
    assert not is_silent(np.concatenate([np.zeros(RATE, np.int16), tone(0.5, -45)]), RATE)


def test_spans_join_over_short_pauses_and_are_padded() -> None:
    active = [False] * 100 + [True] * 20 + [False] * 10 + [True] * 20 + [False] * 100 + [True] * 5 + [False] * 100
    found = spans(active, [0.0] * len(active), pad=10 * FRAME)
    assert [(round(one.start / FRAME), round(one.end / FRAME)) for one in found] == [(90, 160), (240, 265)]


def test_padding_stays_inside_the_sound() -> None:
    (one,) = spans([True] * 5, [0.0] * 5, pad=3.0)
    assert (one.start, one.end) == (0, pytest.approx(5 * FRAME))


def test_long_speech_is_cut_where_it_is_quiet() -> None:
    levels = [-20.0] * 1000
    levels[600] = -50
    one, two = spans([True] * 1000, levels, longest=700 * FRAME)
    assert one.end == two.start == pytest.approx(600 * FRAME)


def test_silence_has_no_spans() -> None:
    assert spans([False] * 50, [0.0] * 50) == []
    assert spans([], []) == []


@given(st.lists(st.booleans(), max_size=400), st.floats(0, 1), st.floats(0.6, 5))
def test_spans_cover_every_active_frame_once_and_none_is_too_long(
    active: list[bool], pad: float, longest: float
) -> None:
    found = spans(active, [0.0] * len(active), pad=pad, longest=longest)
    covered = [round(edge / FRAME) for one in found for edge in (one.start, one.end)]
    assert covered == sorted(covered)
    assert all(one.seconds <= longest + FRAME for one in found)
    middles = [(frame + 0.5) * FRAME for frame, on in enumerate(active) if on]
    assert all(any(one.start <= middle <= one.end for one in found) for middle in middles)
