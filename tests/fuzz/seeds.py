"""What is damaged: short clips in every container that we take, and whatever is in a folder besides."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg

PICTURE = ("-f", "lavfi", "-i", "testsrc2=size=192x108:rate=25:duration=1.5")
SOUND = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=1.5")
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "13", "-c:a", "aac")
CLIPS: dict[str, tuple[str, ...]] = {
    "first.mp4": (*X264, "-movflags", "+faststart"),
    "last.mp4": X264,
    "fragmented.mp4": (*X264, "-movflags", "frag_keyframe+empty_moov"),
    "reordered.mov": ("-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-c:a", "pcm_s16le"),
    "ten-bits.mp4": ("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le", "-c:a", "aac",
                     "-x265-params", "log-level=error"),
    "clip.mkv": (*X264, "-c:a", "libopus"),
    "clip.webm": ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"),
    "clip.ts": X264,
    "interlaced.ts": ("-vf", "interlace", "-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-c:a", "mp2"),
    "clip.avi": ("-c:v", "mpeg4", "-c:a", "libmp3lame"),
    "clip.flv": (*X264, "-ar", "44100"),
    "clip.mpg": ("-c:v", "mpeg1video", "-c:a", "mp2"),
    "clip.wmv": ("-c:v", "wmv2", "-c:a", "wmav2"),
    "clip.gif": ("-an", "-vf", "fps=10,scale=96:54"),
}  # fmt: skip
MOST_BYTES = 1_200_000
"""Larger files are left out: it is their structure that matters."""


def make(folder: Path) -> list[Path]:
    """Write the clips; deterministic for one build of ffmpeg."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, options in CLIPS.items():
        path = folder / name
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y", *PICTURE, *SOUND]
        subprocess.run([*command, *options, "-bitexact", "-threads", "1", str(path)], check=True, timeout=120)
        paths.append(path)
    return paths


def found(folder: Path | None) -> list[Path]:
    """Files of a folder and its subfolders that are small enough, in order."""
    if folder is None:
        return []
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and 0 < path.stat().st_size <= MOST_BYTES]
