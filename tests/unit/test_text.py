"""Strangers' text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.text import one_line


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain", "plain"),
        ("  two\n lines\t here ", "two lines here"),
        ("photo\u202egpj.exe", "photogpj.exe"),  # shown as `photoexe.jpg`
        ("\u2066a\u2069\u200f\u200eb\u061c", "ab"),
        ("nul\x00bell\x07", "nulbell"),
        ("e\u0301", "é"),
        ("日本の夏 🎬", "日本の夏 🎬"),
        ("family 👨\u200d👩\u200d👧", "family 👨\u200d👩\u200d👧"),
        ("\ud800", ""),
    ],
)
def test_text_is_freed_of_what_hides_or_reorders(text: str, cleaned: str) -> None:
    assert one_line(text, 100) == cleaned


@given(st.text())
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert one_line(one_line(text, 20), 20) == one_line(text, 20)


def test_it_is_bounded() -> None:
    assert one_line("a b" * 100, 2) == "a"
