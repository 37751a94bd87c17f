"""Clips for benchmarks: real footage where it lies beside the checkout, else generated."""

from __future__ import annotations

import subprocess
from pathlib import Path

from rushes.ffmpeg.binary import find_binary

MEDIA = Path(__file__).resolve().parents[2] / "shared" / "media" / "real"


def ffmpeg(*arguments: str | Path) -> None:
    subprocess.run([str(find_binary()), "-v", "error", "-y", *map(str, arguments)], check=True)


def landscape_720p(folder: Path, seconds: int = 30) -> Path:
    """`seconds` of 720p30 H.264/AAC with speech."""
    clip = folder / "landscape-720p.mp4"
    real = MEDIA / "derived-natural-720p2997-39s-speech.mp4"
    if real.is_file():
        ffmpeg("-i", real, "-map", "0:v:0", "-map", "0:a:0", "-t", str(seconds), "-c", "copy", clip)
    else:
        _generate(clip, "1280x720", seconds)
    return clip


def phone(folder: Path, seconds: int = 20) -> Path:
    """`seconds` of portrait H.264/AAC as a phone writes it: moov last, a keyframe a second."""
    clip = folder / "phone.mp4"
    real = MEDIA / "phone-portrait-480x720-22s.mp4"
    if real.is_file():
        ffmpeg("-i", real, "-map", "0:v:0", "-map", "0:a:0", "-t", str(seconds), "-c", "copy", clip)
    else:
        _generate(clip, "480x720", seconds)
    return clip


def _generate(clip: Path, size: str, seconds: int) -> None:
    picture = f"testsrc2=size={size}:rate=30:duration={seconds},noise=alls=12:allf=t"
    tone = f"sine=frequency=440:duration={seconds}"
    encode = ("-c:v", "libx264", "-preset", "veryfast", "-g", "30", "-pix_fmt", "yuv420p", "-c:a", "aac")
    ffmpeg("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone, *encode, clip)
