"""A still picture that a stranger sent, made into a PNG of ours. Only what ffmpeg wrote in its sandbox is used later."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from rushes.engine.job import Limits, ToolSettings
from rushes.errors import StepFailure
from rushes.ffmpeg.argv import input_args
from rushes.ffmpeg.door import Door

MAX_BYTES = 5 * 2**20
MAX_PIXELS = 16_000_000
"""Of the picture as it is sent, so that few bytes do not become gigabytes."""
LONGEST_SIDE = 2048
"""Pixels of what is kept; larger ones are made smaller."""
LIMITS = Limits(memory=1_000_000_000, wall=20.0, stall=20.0)
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Still:
    png: bytes
    """Eight bits, with an alpha channel."""
    width: int
    height: int


def still_demuxer(head: bytes) -> str | None:
    """The one demuxer for a PNG, JPEG or WebP picture, by its first twelve bytes; None for anything else. Pure."""
    if head.startswith(_PNG):
        return "png_pipe"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg_pipe"
    return "webp_pipe" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else None


def read_still(data: bytes, tools: ToolSettings) -> Still:
    """Raises StepFailure `watermark_unusable` for whatever is no such picture, or too large."""
    demuxer = still_demuxer(data[:12])
    if demuxer is None or len(data) > MAX_BYTES:
        raise StepFailure("watermark_unusable", detail=f"{len(data)} bytes that begin with {data[:12]!r}")
    with tempfile.TemporaryDirectory(prefix="rushes-still-") as folder:
        path, made = Path(folder) / "in" / "picture", Path(folder) / "out" / "still.png"
        for file in (path, made):
            file.parent.mkdir()
        path.write_bytes(data)
        try:
            Door(tools).run(arguments(path, demuxer, made), reads=[path], writes=made.parent, limits=LIMITS)
            return _checked(made.read_bytes())
        except (StepFailure, OSError) as error:
            detail = error.detail if isinstance(error, StepFailure) else str(error)
            raise StepFailure("watermark_unusable", detail=detail) from error


def arguments(path: Path, demuxer: str, made: Path) -> list[str]:
    """The first picture of a file, no larger than LONGEST_SIDE, without anything that came with it. Pure."""
    fit = f"scale=w='min(iw,{LONGEST_SIDE})':h='min(ih,{LONGEST_SIDE})':force_original_aspect_ratio=decrease"
    return [
        *("-xerror", "-max_pixels", str(MAX_PIXELS), *input_args(path, demuxer)),
        *("-map", "0:v:0", "-frames:v", "1", "-vf", f"{fit},setsar=1,format=rgba", "-map_metadata", "-1"),
        *("-c:v", "png", "-f", "image2", "-update", "1", str(made)),
    ]


def _checked(png: bytes) -> Still:
    """Its size is in the header chunk (PNG specification, section 11.2.1)."""
    if not png.startswith(_PNG) or png[12:16] != b"IHDR":
        raise StepFailure("watermark_unusable", detail="the tool wrote no PNG")
    return Still(png, int.from_bytes(png[16:20]), int.from_bytes(png[20:24]))
