"""Clips of real cameras, repackaged without an encode, decode to the very same pictures."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import pytest

from rushes.isobmff.boxes import BoxError
from rushes.isobmff.movie import read_movie
from rushes.isobmff.segmenter import closed_starts, cut

pytestmark = pytest.mark.media
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def picture_hashes(path: Path, count: int = 60) -> list[str]:
    args = [
        FFMPEG,
        "-v",
        "error",
        "-ignore_editlist",
        "1",
        "-noautorotate",
        "-i",
        str(path),
        "-map",
        "0:v:0",
        "-fps_mode",
    ]
    args += ["passthrough", "-frames:v", str(count), "-f", "framemd5", "-"]
    done = subprocess.run(args, capture_output=True, text=True, timeout=120)
    assert done.stderr == ""
    return [line.rsplit(",", 1)[1].strip() for line in done.stdout.splitlines() if not line.startswith("#")]


def test_repackaged_clips_show_the_same_pictures(media: Path, tmp_path: Path) -> None:
    checked = 0
    for path in sorted((media / "real").glob("*.[mM]*")):
        data = path.read_bytes()
        try:
            tracks = read_movie(data)
        except BoxError:
            continue  # another container
        video = next((track for track in tracks if track.codecs.startswith(("avc1", "hvc1", "hev1"))), None)
        if video is None or len(data) > 12_000_000:
            continue
        starts = closed_starts(video)
        assert starts[0] == 0, path.name
        pieces = cut(video, data, starts, matrix=video.matrix)
        again = tmp_path / "again.mp4"
        again.write_bytes(pieces.init + b"".join(piece.data for piece in pieces.segments))
        assert picture_hashes(again) == picture_hashes(path), path.name
        checked += 1
    assert checked >= 10


def test_no_clip_breaks_the_reader(media: Path) -> None:
    for path in [*(media / "hard").iterdir(), *(media / "real").iterdir()]:
        data = path.read_bytes()
        try:
            for track in read_movie(data):
                if track.samples:
                    assert sum(len(piece.data) for piece in cut(track, data, [0]).segments) > 0
        except BoxError:
            continue
