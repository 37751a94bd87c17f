"""Metadata of strangers."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from rushes.ffmpeg.tags import clean_tags


def test_where_it_was_filmed_is_not_kept() -> None:
    tags = {
        "title": "At home",
        "location": "+52.5-013.4/",
        "location-eng": "+52.5-013.4/",
        "com.apple.quicktime.location.ISO6709": "+52.5-013.4/",
        "xyz": "+52.5-013.4/",
        "GPSLatitude": "52.5",
    }
    assert clean_tags(tags) == {"title": "At home"}


def test_line_breaks_become_spaces_and_controls_go() -> None:
    assert clean_tags({"title": "a\r\nX-Injected: 1\x1b[31m\u202egpj\0"}) == {"title": "a X-Injected: 1[31mgpj"}


def test_long_values_are_cut_between_characters() -> None:
    value = clean_tags({"t": "ä" * 100_000})["t"]
    assert value == "ä" * 512


def test_at_most_so_many() -> None:
    assert len(clean_tags({f"k{n}": "v" for n in range(1000)})) == 32


@given(st.dictionaries(st.text(), st.text()))
def test_what_is_kept_is_small_and_printable(tags: dict[str, str]) -> None:
    for key, value in clean_tags(tags).items():
        assert key
        assert len(key) <= 64
        assert 0 < len(value.encode()) <= 1024
        assert not {unicodedata.category(letter) for letter in key + value} & {"Cc", "Cs", "Co", "Zl", "Zp"}
