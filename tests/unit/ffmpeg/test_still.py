from __future__ import annotations

from pathlib import Path

import pytest

from rushes.engine.job import ToolSettings
from rushes.errors import StepFailure
from rushes.ffmpeg.still import MAX_BYTES, MAX_PIXELS, arguments, read_still, still_demuxer


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\r", "png_pipe"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0\1", "jpeg_pipe"),
        (b"RIFF\x10\0\0\0WEBP", "webp_pipe"),
        (b"RIFF\x10\0\0\0WAVE", None),
        (b"GIF89a\0\0\0\0\0\0", None),
        (b"<svg xmlns=", None),
        (b"#EXTM3U\n", None),
        (b"ffconcat ver", None),
        (b"", None),
    ],
)
def test_three_kinds_of_pictures_are_taken(head: bytes, expected: str | None) -> None:
    assert still_demuxer(head) == expected


@pytest.mark.parametrize("data", [b"", b"#EXTM3U\nfile:///etc/passwd\n", b"\x89PNG\r\n\x1a\n" + bytes(MAX_BYTES)])
def test_anything_else_is_refused_without_a_tool(data: bytes) -> None:
    with pytest.raises(StepFailure, match="watermark_unusable"):
        read_still(data, ToolSettings(ffmpeg="/nowhere/ffmpeg"))


def test_the_command_bounds_what_is_read_and_keeps_no_metadata() -> None:
    found = arguments(Path("/x/in"), "png_pipe", Path("/x/out.png"))
    assert found[found.index("-max_pixels") + 1] == str(MAX_PIXELS)
    assert found.index("-max_pixels") < found.index("-i")
    assert found[found.index("-format_whitelist") + 1] == "png_pipe"
    assert found[found.index("-map_metadata") + 1] == "-1"
