"""Invented speech is seen as such, and real speech is left alone."""

from __future__ import annotations

import pytest

from rushes.enrichment.doubt import Heard, credible, is_impossible, is_loop, is_stock


def heard(text: str, *, no_speech: float = 0.0, log_probability: float = -0.2, seconds: float = 5.0) -> Heard:
    return Heard(text, 0, seconds, no_speech, log_probability)


@pytest.mark.parametrize(
    "text",
    ["you you you you you you you you", "I don't know. " * 6, "one two three four five " * 4, "la " * 40],
)
def test_loops_are_found(text: str) -> None:
    assert is_loop(text)


@pytest.mark.parametrize(
    "text",
    [
        "No, no, no!",
        "Ask not what your country can do for you; ask what you can do for your country.",
        "Row, row, row your boat, gently down the stream, merrily, merrily, merrily, merrily, life is but a dream.",
        "We shall fight on the beaches, we shall fight on the landing grounds, we shall fight in the fields.",
    ],
)
def test_real_repetition_is_not_a_loop(text: str) -> None:
    assert not is_loop(text)


def test_nobody_speaks_a_paragraph_in_a_blink() -> None:
    assert is_impossible(heard("a sentence of many letters in a short time", seconds=0.3))
    assert not is_impossible(heard("a sentence of many letters in a long time", seconds=3))


def test_stock_phrases_are_known_in_any_spelling() -> None:
    assert is_stock(" Thanks for watching!! ")
    assert is_stock("Don't forget to like and subscribe.")
    assert not is_stock("Thanks for watching my dog yesterday.")


@pytest.mark.parametrize(
    ("segment", "verdict"),
    [
        (heard("Hello there."), True),
        (heard("Hello there.", no_speech=0.9, log_probability=-1.5), None),
        (heard("Hello there.", no_speech=0.9), False),
        (heard("Hello there.", log_probability=-1.5), False),
        (heard("Thanks for watching!"), False),
        (heard("Thanks for watching!", no_speech=0.5), None),
        (heard("la la la la la la la la la la"), None),
    ],
)
def test_each_segment_is_kept_doubted_or_dropped(segment: Heard, verdict: bool | None) -> None:
    assert credible([segment]) == [verdict]


def test_the_third_time_in_a_row_is_a_loop_across_segments() -> None:
    assert credible([heard("Okay."), heard("okay"), heard("Okay!"), heard("Bye.")]) == [True, True, None, True]
