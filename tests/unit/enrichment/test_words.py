"""Words, their width on screen, and words out of segments that have none."""

from __future__ import annotations

import pytest

from rushes.enrichment.words import Word, fit, join, spread, width


@pytest.mark.parametrize(("text", "letters"), [("abc", 3), ("é", 1), ("e\u0301", 1), ("日本", 5.2), ("", 0)])
def test_width_counts_what_the_eye_sees(text: str, letters: float) -> None:
    assert width(text) == pytest.approx(letters)


def test_words_are_joined_with_spaces_unless_glued() -> None:
    words = [Word("well", 0, 1), Word("-known", 1, 2, glued=True), Word("man", 2, 3)]
    assert join(words) == "well-known man"


def test_a_segment_is_spread_over_its_words_by_length() -> None:
    words = spread("a bbb", 10, 14)
    assert [(word.text, word.start, word.end) for word in words] == [("a", 10, 11), ("bbb", 11, 14)]


def test_spreading_nothing_gives_nothing() -> None:
    assert spread("  ", 0, 5) == []


def test_a_word_too_long_for_a_line_is_cut_and_keeps_its_time_and_doubt() -> None:
    word = Word("x" * 100, 0, 10, trusted=False)
    pieces = fit([word], 42)
    assert [len(piece.text) for piece in pieces] == [42, 42, 16]
    assert join(pieces) == word.text
    assert pieces[0].start == 0
    assert pieces[-1].end == pytest.approx(10)
    assert not any(piece.trusted for piece in pieces)


def test_text_without_spaces_is_cut_to_16_characters_a_line() -> None:
    pieces = fit([Word("字" * 40, 0, 10)], 42)
    assert [len(piece.text) for piece in pieces] == [16, 16, 8]


def test_words_that_fit_stay_as_they_are() -> None:
    words = [Word("a", 0, 1), Word("b", 1, 2)]
    assert fit(words, 42) == words
