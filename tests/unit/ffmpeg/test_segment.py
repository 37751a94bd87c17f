"""Whether a Matroska file ends before its segment does."""

from __future__ import annotations

import pytest

from rushes.ffmpeg.segment import breaks_off

HEADER = b"\x1a\x45\xdf\xa3\x84abcd"
SEGMENT = b"\x18\x53\x80\x67"


@pytest.mark.parametrize(
    ("head", "size", "expected"),
    [
        (HEADER + SEGMENT + b"\x01\0\0\0\0\0\0\x64", 121, False),
        (HEADER + SEGMENT + b"\x01\0\0\0\0\0\0\x64", 500, False),
        (HEADER + SEGMENT + b"\x01\0\0\0\0\0\0\x64", 120, True),
        (HEADER + b"\xec\x82ab" + SEGMENT + b"\x40\x64", 119, False),
        (HEADER + b"\xec\x82ab" + SEGMENT + b"\x40\x64", 118, True),
        (HEADER + SEGMENT + b"\x01" + b"\xff" * 7, 500, None),
        (HEADER + SEGMENT + b"\xff", 500, None),
        (HEADER + SEGMENT + b"\0\0", 500, None),
        (HEADER + SEGMENT, 13, None),
        (HEADER + b"????", 500, None),
        (b"\xec\x80" * 100, 200, None),
        (b"", 0, None),
    ],
)
def test_the_segment_says_how_long_it_is(head: bytes, size: int, expected: bool | None) -> None:
    assert breaks_off(head, size) is expected
