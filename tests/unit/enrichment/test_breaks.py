"""Where a caption breaks best."""

from __future__ import annotations

import pytest

from rushes.enrichment.breaks import cost
from rushes.enrichment.words import Word


def between(before: str, after: str, *, glued: bool = False) -> float:
    return cost(Word(before, 0, 1), Word(after, 1, 2, glued=glued))


def test_the_order_of_breaks_is_that_of_the_style_guide() -> None:
    ordered = [
        between("done.", "Then"),
        between("done,", "then"),
        between("bread", "and"),
        between("brown", "fox"),
        between("the", "fox"),
        between("well", "-known", glued=True),
    ]
    assert ordered == sorted(ordered)
    assert len(set(ordered)) == len(ordered)


@pytest.mark.parametrize("before", ['home."', "really?", "stop…", "何。", "go!’"])
def test_a_sentence_ends_inside_quotes_too(before: str) -> None:
    assert between(before, "Next") == 0


def test_a_title_does_not_end_a_sentence() -> None:
    assert between("Mr.", "Smith") > between("brown", "fox")


def test_languages_without_spaces_break_between_characters() -> None:
    assert between("日", "本", glued=True) == between("brown", "fox")
