"""Hidden frames of VP8 and VP9."""

from __future__ import annotations

import pytest

from rushes.ffmpeg.shown import is_shown


@pytest.mark.parametrize(
    ("codec", "first", "last", "expected"),
    [
        ("vp8", 0x10, 0, True),
        ("vp8", 0x01, 0, False),
        ("vp9", 0b1000_0010, 0, True),  # profile 0, a shown key frame
        ("vp9", 0b1000_0100, 0, False),  # a hidden inter frame
        ("vp9", 0b1000_1000, 0, True),  # an existing frame, shown again
        ("vp9", 0b1000_0100, 0xC1, True),  # a superframe
        ("vp9", 0b1011_0010, 0, False),  # profile 3 has a reserved bit first: hidden here
        ("h264", 0, 0, True),
    ],
)
def test_is_shown(codec: str, first: int, last: int, expected: bool) -> None:
    assert is_shown(codec, first, last) is expected
