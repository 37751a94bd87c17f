"""Chunks of one rung, joined, keep the buffer that the rung promises, on a clip that needs all of its cap all the time."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import pytest

from rushes.plan import Grid, Rung
from rushes.transcoder.encoders import encoder_args
from rushes.transcoder.vbv import Buffering, buffering
from tests.integration.transcoder.conftest import FFMPEG

GRID = Grid(fps=Fraction(30), gop_frames=60, segment_frames=120)
CHUNKS = range(0, 360, 120)
STRESS = (
    *("-f", "lavfi", "-i", "testsrc2=size=256x144:rate=30:duration=12"),
    *("-f", "lavfi", "-i", "mandelbrot=size=256x144:rate=30"),
    *("-filter_complex", "[0][1]blend=all_expr='if(lt(mod(T,3),1.5),A,B)':shortest=1,noise=alls=25:allf=t"),
    *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "8"),
)
Encode = Callable[[Rung, int, int | None, int], list[int]]


def rung(codec: str) -> Rung:
    return Rung(
        name="r",
        width=256,
        height=144,
        codec=codec,
        preset="veryfast",
        crf=22,
        max_bitrate=200_000,
        buffer_bits=400_000,
    )


@pytest.fixture
def encode(make_clip, tmp_path: Path) -> Encode:
    """Sizes of the pictures of a stretch, in decoding order, encoded as what begins at frame `told` of its grid."""
    source = make_clip("joined-stress.mp4", *STRESS)

    def run(target: Rung, first: int, frames: int | None, told: int) -> list[int]:
        end = "" if frames is None else f":end_frame={first + frames}"
        output = tmp_path / "out.mp4"
        command = [FFMPEG, "-nostdin", "-y", "-loglevel", "error", "-i", str(source), "-an"]
        command += ["-vf", f"trim=start_frame={first}{end},setpts=PTS-STARTPTS", *encoder_args(target, GRID, told)]
        subprocess.run([*command, str(output)], check=True, timeout=120)
        with av.open(str(output)) as movie:
            return [packet.size for packet in movie.demux(video=0) if packet.size]

    return run


def kept(sizes: Iterable[int], target: Rung) -> Buffering:
    return buffering(sizes, 1 / 30, target.max_bitrate, target.buffer_bits)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_joined_chunks_keep_the_buffer(encode: Encode, codec: str) -> None:
    target = rung(codec)
    whole = encode(target, 0, None, 0)
    assert kept(whole, target).underflows == 0
    assert 8 * sum(whole) / 12 > 0.8 * target.max_bitrate, "the clip is no stress"
    chunks = [encode(target, first, 120, first) for first in CHUNKS]
    assert kept(chain(*chunks), target).underflows == 0
    # And it is not for want of stress: chunks that each believe to begin the video break it
    naive = [encode(target, first, 120, 0) for first in CHUNKS]
    assert kept(chain(*naive), target).underflows > 0


def test_a_chunk_leaves_what_the_next_one_counts_on(encode: Encode) -> None:
    target = rung("h264")
    for first in CHUNKS[1:]:
        left = buffering(encode(target, first, 120, first), 1 / 30, target.max_bitrate, target.buffer_bits, 0.5).left
        assert left > 0.4
