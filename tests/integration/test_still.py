"""Pictures that strangers send as watermarks: what comes out is a PNG of ours, or a refusal."""

from __future__ import annotations

import struct
import subprocess
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from rushes.engine.job import ToolSettings
from rushes.errors import StepFailure
from rushes.ffmpeg.binary import find_binary
from rushes.ffmpeg.still import LONGEST_SIDE, Still, read_still

TOOLS = ToolSettings()


def made(tmp_path: Path, name: str, source: str, *more: str) -> bytes:
    path = tmp_path / name
    command = [str(find_binary()), "-v", "error", "-f", "lavfi", "-i", source, "-frames:v", "1", *more, str(path)]
    subprocess.run(command, check=True)
    return path.read_bytes()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, rows: bytes, kind: int = 6) -> bytes:
    """Colour type `kind`, eight bits, whatever the rows are."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def pixels(still: Still) -> np.ndarray:
    """Rows, columns, BGRA."""
    found = cv2.imdecode(np.frombuffer(still.png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert found is not None
    assert found.shape == (still.height, still.width, 4)
    return found


@pytest.mark.parametrize(("name", "more"), [("a.png", ()), ("a.jpg", ("-q:v", "1")), ("a.webp", ("-lossless", "1"))])
def test_a_picture_becomes_a_png_with_transparency(tmp_path: Path, name: str, more: tuple[str, ...]) -> None:
    still = read_still(made(tmp_path, name, "color=red:size=61x31", *more), TOOLS)
    assert (still.width, still.height) == (61, 31)
    blue, green, red, alpha = pixels(still)[15, 30].astype(int)
    assert red > 245 and blue < 10 and green < 10 and alpha == 255


def test_transparency_is_kept() -> None:
    rows = b"".join(b"\0" + b"\x10\x20\x30\x80" * 4 for _ in range(4))
    assert pixels(read_still(png(4, 4, rows), TOOLS))[2, 2].tolist() == [0x30, 0x20, 0x10, 0x80]


def test_a_large_one_is_made_smaller_in_its_shape(tmp_path: Path) -> None:
    still = read_still(made(tmp_path, "a.png", "color=blue:size=4000x1000"), TOOLS)
    assert (still.width, still.height) == (LONGEST_SIDE, LONGEST_SIDE // 4)


def test_a_few_bytes_do_not_become_gigabytes() -> None:
    bomb = png(30_000, 30_000, bytes(1000))
    with pytest.raises(StepFailure, match="watermark_unusable"):
        read_still(bomb, TOOLS)


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9])
def test_half_a_picture_is_none(tmp_path: Path, kept: float) -> None:
    whole = made(tmp_path, "a.png", "testsrc2=size=320x180")
    with pytest.raises(StepFailure, match="watermark_unusable"):
        read_still(whole[: int(len(whole) * kept)], TOOLS)


def test_an_animation_is_refused_or_stands_still(tmp_path: Path) -> None:
    path = tmp_path / "a.webp"
    command = [str(find_binary()), "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=64x36:rate=5:duration=1"]
    subprocess.run([*command, "-c:v", "libwebp_anim", str(path)], check=True)
    try:
        still = read_still(path.read_bytes(), TOOLS)
    except StepFailure as refused:
        assert refused.code == "watermark_unusable"
    else:
        assert (still.width, still.height) == (64, 36)


def test_what_only_begins_like_a_picture_reads_nothing_else(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(made(tmp_path, "s.png", "color=green:size=8x8"))
    for head in (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\x40\0\0\0WEBP"):
        script = head + f"\nffconcat version 1.0\nfile {secret}\n#EXTM3U\nfile://{secret}\n".encode()
        with pytest.raises(StepFailure, match="watermark_unusable"):
            read_still(script, TOOLS)
