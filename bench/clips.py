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


def landscape_1080p(folder: Path, seconds: int = 30) -> Path:
    """`seconds` of 1080p H.264/AAC with speech: a clip of ten, over and over."""
    clip = folder / "landscape-1080p.mp4"
    real = MEDIA / "derived-androidlike-1080x1920-rot-speech.mp4"
    if real.is_file():
        maps = ("-map", "0:v:0", "-map", "0:a:0", "-t", str(seconds), "-c", "copy")
        ffmpeg("-stream_loop", "-1", "-display_rotation", "0", "-i", real, *maps, clip)
    else:
        _generate(clip, "1920x1080", seconds)
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


def standard_720p(folder: Path, seconds: int = 30) -> Path:
    """The same, with a key picture every two seconds, and picture and sound that begin together: a rung as it is."""
    clip = folder / "standard-720p.mp4"
    encode = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "26", "-g", "60", "-sc_threshold", "0")
    rate = ("-r", "30000/1001", "-pix_fmt", "yuv420p")
    sound = ("-c:a", "aac", "-b:a", "128k", "-ac", "2", "-ar", "48000")
    ffmpeg("-i", landscape_720p(folder, seconds), *rate, *encode, *sound, "-t", str(seconds), clip)
    return clip


def long_720p(folder: Path, minutes: int = 20) -> Path:
    """Many minutes of it: a short encode over and over."""
    once, clip = standard_720p(folder), folder / "long-720p.mp4"
    ffmpeg("-stream_loop", str(2 * minutes - 1), "-i", once, "-c", "copy", "-movflags", "+faststart", clip)
    return clip


def needs_encode_1080p(folder: Path) -> Path:
    """30 s of 1080p as HEVC, which browsers do not all play."""
    clip = folder / "hevc-1080p.mp4"
    picture = (
        "-vf",
        "scale=1920:1080",
        "-c:v",
        "libx265",
        "-preset",
        "ultrafast",
        "-x265-params",
        "log-level=error:crf=24",
    )
    ffmpeg("-i", landscape_720p(folder), *picture, "-tag:v", "hvc1", "-pix_fmt", "yuv420p", "-c:a", "copy", clip)
    return clip


def hdr_4k(folder: Path) -> Path:
    """10 s of 3840x2160 HEVC in 10 bits and PQ with phone noise, as phones write it."""
    clip, real = folder / "hdr-4k.mp4", MEDIA / "phone-hdr10-1080p-sdr-container.mp4"
    source = (
        ("-stream_loop", "12", "-i", real)
        if real.is_file()
        else ("-f", "lavfi", "-i", "testsrc2=size=1920x1080:rate=30")
    )
    colours = ("-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc")
    encode = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:crf=22:keyint=60")
    filters = "scale=3840:2160:flags=bicubic,noise=alls=6:allf=t,fps=30,format=yuv420p10le"
    ffmpeg(*source, "-t", "10", "-vf", filters, "-an", *encode, *colours, "-tag:v", "hvc1", clip)
    return clip


def _generate(clip: Path, size: str, seconds: int) -> None:
    picture = f"testsrc2=size={size}:rate=30:duration={seconds},noise=alls=12:allf=t"
    tone = f"sine=frequency=440:duration={seconds}"
    encode = ("-c:v", "libx264", "-preset", "veryfast", "-g", "30", "-pix_fmt", "yuv420p", "-c:a", "aac")
    ffmpeg("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone, *encode, clip)
