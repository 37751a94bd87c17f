"""Metadata of strangers."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from rushes.ffmpeg.tags import clean_tags, personal_kinds

HOME = {
    "title": "At home",
    "location": "+52.5-013.4/",
    "location-eng": "+52.5-013.4/",
    "com.apple.quicktime.location.ISO6709": "+52.5-013.4/",
    "xyz": "+52.5-013.4/",
    "GPSLatitude": "52.5",
    "com.apple.quicktime.make": "Apple",
    "creation_time": "2024-05-01T10:00:00Z",
    "artist": "Ann",
    "something_new": "of which nobody knows what it says",
}


def test_what_is_personal_is_not_kept() -> None:
    assert clean_tags(HOME) == {"title": "At home"}
    assert clean_tags(HOME, personal=True) == HOME


def test_kinds_of_what_was_found_are_named() -> None:
    assert personal_kinds(HOME) == ("device", "location", "other", "person", "time")
    assert personal_kinds(["title", "encoder", "language", "handler_name"]) == ()
    assert personal_kinds(["Comment", "com.android.version", "DATE_RECORDED"]) == ("device", "note", "time")


def test_line_breaks_become_spaces_and_controls_go() -> None:
    assert clean_tags({"title": "a\r\nX-Injected: 1\x1b[31m\u202egpj\0"}) == {"title": "a X-Injected: 1[31mgpj"}


def test_long_values_are_cut_between_characters() -> None:
    value = clean_tags({"title": "ä" * 100_000})["title"]
    assert value == "ä" * 512


def test_at_most_so_many() -> None:
    assert len(clean_tags({f"k{n}": "v" for n in range(1000)}, personal=True)) == 32


@given(st.dictionaries(st.text(), st.text()))
def test_what_is_kept_is_small_and_printable(tags: dict[str, str]) -> None:
    for key, value in clean_tags(tags, personal=True).items():
        assert key
        assert len(key) <= 64
        assert 0 < len(value.encode()) <= 1024
        assert not {unicodedata.category(letter) for letter in key + value} & {"Cc", "Cs", "Co", "Zl", "Zp"}
