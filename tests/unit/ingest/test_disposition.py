"""Names in `Content-Disposition`, after RFC 6266 and what clients make of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.ingest.disposition import filename_in


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('inline; filename="a b.mp4"', "a b.mp4"),
        ("attachment;filename=a.mp4", "a.mp4"),
        ("inline; filename=a.mp4; size=3", "a.mp4"),
        ('inline; FILENAME = "a.mp4"', "a.mp4"),
        ("inline; filename*=UTF-8''%C3%A4%20b.mp4", "ä b.mp4"),
        ("inline; filename*=iso-8859-1'en'%E4.mp4", "ä.mp4"),
        ("inline; filename=\"a.mp4\"; filename*=UTF-8''%C3%A4.mp4", "ä.mp4"),
        ("inline; filename*=UTF-8''%C3%A4.mp4; filename=\"a.mp4\"", "ä.mp4"),
        ("inline; filename*=koi8-r''%C1; filename=\"a.mp4\"", "a.mp4"),
        (r'inline; filename="a\"b\\c.mp4"', r'a"b\c.mp4'),
        ('inline; filename="ä.mp4"'.encode().decode("latin-1"), "ä.mp4"),
        ('inline; filename="\xe4.mp4"', "ä.mp4"),
        ('inline; filename="x; filename=y.mp4"', "x; filename=y.mp4"),
        ("inline", ""),
        ("", ""),
        ('inline; filename="open', ""),
        ("inline; filename*=UTF-8''%FF", "\ufffd"),
        ("inline; xfilename=a", ""),
    ],
)
def test_a_name(header: str, name: str):
    assert filename_in(header) == name


@given(st.text(max_size=80))
def test_no_header_does_harm(header: str):
    assert isinstance(filename_in(f"inline; filename{header}"), str)
