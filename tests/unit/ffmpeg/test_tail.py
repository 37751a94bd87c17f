"""The end of what a tool said."""

from __future__ import annotations

from rushes.ffmpeg.tail import Tail, without_paths


def test_keeps_the_end_and_says_that_there_was_more() -> None:
    tail = Tail(limit=10)
    tail.feed(b"0123456789")
    assert tail.text() == "0123456789"
    tail.feed(b"abc")
    assert tail.text() == "[...]\n3456789abc"


def test_nothing_that_drives_a_terminal_is_left() -> None:
    tail = Tail()
    tail.feed(b"a\x1b[31mred\x07\xff\r\xe2\x80\xaeb\n")
    assert not set(tail.text()) & set("\x1b\x07\r\u202e")
    assert tail.text().endswith("b\n")


def test_absolute_paths_are_taken_out() -> None:
    text = "file:/srv/secret/a.mp4: Invalid data; see '/etc/passwd' and 25/1 fps"
    assert without_paths(text) == "…: Invalid data; see '…' and 25/1 fps"
