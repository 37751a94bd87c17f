"""What a playlist says of a rung before it is made is what the encoder writes, in all of its sizes, rates and presets."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from rushes.ffmpeg.binary import find_binary
from rushes.isobmff.movie import read_movie
from rushes.isobmff.segmenter import cut
from rushes.plan import Grid, Rung
from rushes.transcoder.encoders import encoder_args
from rushes.transcoder.predicted import codecs_of

SIZES = [(426, 240), (360, 640), (960, 540), (1280, 720), (1080, 1920), (2520, 1080)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("codec", "preset", "rate", "fps"),
    [
        ("h264", "veryfast", 1_200_000, Fraction(24000, 1001)),
        ("h264", "veryfast", 5_000_000, Fraction(60)),
        ("h264", "superfast", 20_000_000, Fraction(25)),
        ("h264", "slow", 3_400_000, Fraction(50)),
        ("h264", "medium", 700_000, Fraction(5)),
        ("av1", "10", 1_000_000, Fraction(30)),
    ],
)
def test_prediction(tmp_path: Path, size: tuple[int, int], codec: str, preset: str, rate: int, fps: Fraction) -> None:
    fields = {"name": "x", "width": size[0], "height": size[1], "codec": codec, "preset": preset, "crf": 40}
    rung = Rung.model_validate({**fields, "max_bitrate": rate, "buffer_bits": 2 * rate})
    grid = Grid(fps=fps, gop_frames=round(2 * fps), segment_frames=round(4 * fps))
    out = tmp_path / "out.mp4"
    source = f"color=c=gray:s={size[0]}x{size[1]}:r={fps}"
    subprocess.run(
        [str(find_binary()), "-v", "error", "-f", "lavfi", "-i", source, "-frames:v", "3", *encoder_args(rung, grid), str(out)],
        check=True,
    )  # fmt: skip
    data = out.read_bytes()
    track = next(track for track in read_movie(data) if track.handler == "vide")
    assert codecs_of(rung, fps) == cut(track, data, [0]).codecs
