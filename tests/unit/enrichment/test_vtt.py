"""WebVTT that a strict parser takes, whatever the text says."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.enrichment.vtt import escape, timestamp, write
from rushes.model import Cue

TIMING = re.compile(r"^(\d{2,}):(\d\d):(\d\d)\.(\d{3}) --> (\d{2,}):(\d\d):(\d\d)\.(\d{3})$")


def test_a_file_is_written_whole() -> None:
    cues = [Cue(start=0.5, end=2, text="Hello\nworld"), Cue(start=2.1, end=3, text="Tom & Jerry <3")]
    assert write(cues) == (
        "WEBVTT\n\n00:00:00.500 --> 00:00:02.000\nHello\nworld\n\n"
        "00:00:02.100 --> 00:00:03.000\nTom &amp; Jerry &lt;3\n"
    )


def test_a_silent_clip_gives_a_valid_file_without_cues() -> None:
    assert write([]) == "WEBVTT\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "00:00:00.000"),
        (-1, "00:00:00.000"),
        (59.9996, "00:01:00.000"),
        (3723.4567, "01:02:03.457"),
        (360_000, "100:00:00.000"),
    ],
)
def test_timestamps_carry_and_never_go_below_zero(seconds: float, text: str) -> None:
    assert timestamp(seconds) == text


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a --> b", "a --&gt; b"),
        ("<b>bold</b>", "&lt;b&gt;bold&lt;/b&gt;"),
        ("one\n\n\ntwo", "one\ntwo"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("&amp;", "&amp;amp;"),
        ("bell\a and\ttab\0", "bell and tab"),
        (" \n ", ""),
    ],
)
def test_text_cannot_leave_its_cue(text: str, escaped: str) -> None:
    assert escape(text) == escaped


@pytest.mark.parametrize(
    "cue", [Cue(start=1, end=1.0004, text="a"), Cue(start=2, end=1, text="a"), Cue(start=0, end=1, text="\n")]
)
def test_cues_that_a_parser_would_drop_are_not_written(cue: Cue) -> None:
    assert write([cue]) == "WEBVTT\n"


@given(st.lists(st.tuples(st.floats(0, 1e5), st.floats(0.01, 60), st.text(max_size=60)), max_size=5))
def test_any_text_gives_one_block_per_cue(rows: list[tuple[float, float, str]]) -> None:
    cues = [Cue(start=start, end=start + length, text=text) for start, length, text in rows]
    blocks = write(cues).removesuffix("\n").split("\n\n")
    written = [cue for cue in cues if escape(cue.text)]
    assert blocks[0] == "WEBVTT"
    assert len(blocks) == 1 + len(written)
    for block in blocks[1:]:
        timing, *lines = block.split("\n")
        assert TIMING.match(timing)
        assert lines
        assert all(line and "-->" not in line and "<" not in line for line in lines)
