"""Captions by the rules of Netflix's timed text style guides."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.enrichment.cues import Style, build, lay, style
from rushes.enrichment.words import Word, width
from rushes.model import Cue

WIDE = style((1920, 1080), 24)
TALL = style((1080, 1920), 24)


def say(text: str, start: float = 0.0, pace: float = 0.3) -> list[Word]:
    """Words one after the other, `pace` seconds each."""
    return [Word(part, start + at * pace, start + (at + 1) * pace) for at, part in enumerate(text.split())]


SPEECH = (
    "And so, my fellow Americans: ask not what your country can do for you; ask what you can do for your country. "
    "My fellow citizens of the world: ask not what America will do for you, but what together we can do for the "
    "freedom of man."
)


def keeps_rules(cues: list[Cue], style: Style) -> None:
    for cue in cues:
        lines = cue.text.split("\n")
        assert 1 <= len(lines) <= 2
        assert all(width(line) <= style.line for line in lines)
        assert 0 < cue.end - cue.start <= style.longest + 0.001
    for one, two in pairwise(cues):
        assert two.start - one.end >= style.gap - 0.0015


@pytest.mark.parametrize("limits", [WIDE, TALL])
def test_a_speech_becomes_readable_captions(limits: Style) -> None:
    words = say(SPEECH)
    cues = build(words, limits)
    keeps_rules(cues, limits)
    assert " ".join(cue.text.replace("\n", " ") for cue in cues) == SPEECH


def test_a_cue_breaks_at_a_sentence_rather_than_when_it_is_full() -> None:
    cues = build(
        say("We walked along the river all day long. Then it began to rain and everybody went home again"), WIDE
    )
    assert cues[0].text.endswith("day long.")


@pytest.mark.parametrize(
    ("size", "line"),
    [((1920, 1080), 42), ((1080, 1920), 28), ((800, 800), 34), (None, 42), ((640, 0), 42)],
)
def test_lines_are_shorter_on_upright_pictures(size: tuple[int, int] | None, line: float) -> None:
    assert style(size).line == line


def test_lines_break_before_a_link_and_not_after_an_article() -> None:
    lines = lay(say("I would like to buy a loaf of bread at the market in town"), 42)
    assert lines is not None
    assert lines[1][0].text in ("at", "of", "in")


def test_what_does_not_fit_two_lines_is_not_laid() -> None:
    assert lay(say("word " * 20), 42) is None


def test_a_pause_ends_a_cue() -> None:
    cues = build([Word("Yes", 0, 0.4), Word("no", 3, 3.4)], WIDE)
    assert [cue.text for cue in cues] == ["Yes", "no"]


def test_a_short_cue_stays_long_enough_to_be_read() -> None:
    (cue,) = build([Word("Incomprehensibilities,", 1, 1.2), Word("really", 1.2, 1.4)], WIDE)
    assert cue.end - cue.start == pytest.approx(29 / 20, abs=0.001)


def test_a_word_that_is_held_for_long_does_not_stay_for_ever() -> None:
    (cue,) = build([Word("Goooal", 0, 30)], WIDE)
    assert cue.end == 7


def test_a_small_pause_between_cues_is_closed_to_two_frames() -> None:
    first = say("This is the first of the two sentences that are said one after the other.", 0)
    second = say(
        "This is the second one, and it is too long to stand in the caption of the first.", first[-1].end + 0.3
    )
    cues = build([*first, *second], WIDE)
    assert cues[1].start == pytest.approx(second[0].start)
    assert cues[0].end == pytest.approx(second[0].start - 2 / 24, abs=0.001)


def test_nothing_is_shown_after_the_end_of_the_clip() -> None:
    cues = build([*say("one two three four", 0), Word("late", 9, 10)], WIDE, duration=1.0)
    assert cues
    assert max(cue.end for cue in cues) <= 1.0


def test_one_doubtful_word_makes_its_cue_doubtful() -> None:
    (cue,) = build([Word("Hello", 0, 0.5), Word("world", 0.5, 1, trusted=False)], WIDE)
    assert not cue.trusted


def test_no_words_give_no_cues() -> None:
    assert build([], WIDE) == []


word = st.builds(
    lambda text, start, length: Word(text, start, start + length),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Z")), min_size=1, max_size=60),
    st.floats(0, 100),
    st.floats(0, 10),
)


@given(st.lists(word, max_size=40), st.sampled_from([WIDE, TALL]))
def test_the_rules_hold_for_any_words_at_any_times(words: list[Word], limits: Style) -> None:
    keeps_rules(build(words, limits), limits)


@given(st.lists(st.text("abc.,", min_size=1, max_size=12), min_size=1, max_size=80), st.floats(0.1, 1.0))
def test_no_word_is_lost_or_moved_when_nobody_talks_at_once(texts: list[str], pace: float) -> None:
    cues = build(say(" ".join(texts), 0, pace), WIDE)
    assert " ".join(cue.text.replace("\n", " ") for cue in cues) == " ".join(texts)
