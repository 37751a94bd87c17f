"""Whole argument lists: a change of any of them makes other bytes, and has to be meant."""

from __future__ import annotations

from fractions import Fraction

import pytest

from rushes.plan import Grid, Rung
from rushes.transcoder.encoders import encoder_args

GRID = Grid(fps=Fraction(30), gop_frames=60, segment_frames=120)


def rung(**more) -> Rung:
    fields = {"name": "r", "width": 640, "height": 360, "crf": 23.5, "max_bitrate": 800_000, "buffer_bits": 1_600_000}
    return Rung(**(fields | more))


SDR = "-color_range tv -colorspace bt709 -color_primaries bt709 -color_trc bt709"
CAP = "-maxrate 800000 -bufsize 1600000"
EVERY = "-g 60 -keyint_min 60"
X265 = "info=0:open-gop=0:scenecut=0:repeat-headers=0:pools=none:wpp=0:frame-threads=1"


def test_h264():
    assert " ".join(encoder_args(rung(), GRID)) == (
        "-c:v libx264 -crf 23.5 -profile:v high -sc_threshold 0 -forced-idr 1"
        " -x264-params open-gop=0:stitchable=1 -threads 1"
        f" -preset veryfast -pix_fmt yuv420p {CAP} {EVERY} {SDR}"
    )


def test_hevc():
    assert " ".join(encoder_args(rung(codec="hevc", preset="medium"), GRID)) == (
        "-c:v libx265 -crf 23.5 -tag:v hvc1 -profile:v main -sc_threshold 0 -forced-idr 1"
        f" -x265-params {X265}:log-level=warning"
        f" -preset medium -pix_fmt yuv420p {CAP} {EVERY} {SDR}"
    )


@pytest.mark.parametrize(("hdr", "transfer", "tuned"), [("pq", "smpte2084", 1), ("hlg", "arib-std-b67", 0)])
def test_hdr_keeps_its_range_in_ten_bits(hdr: str, transfer: str, tuned: int):
    text = " ".join(encoder_args(rung(codec="hevc", hdr=hdr), GRID))
    assert "-profile:v main10" in text
    assert "-pix_fmt yuv420p10le" in text
    assert f":hdr10-opt={tuned}:" in text
    assert text.endswith(f"-color_range tv -colorspace bt2020nc -color_primaries bt2020 -color_trc {transfer}")


def test_av1():
    assert " ".join(encoder_args(rung(codec="av1", preset="10", crf=35.3), GRID)) == (
        "-c:v libsvtav1 -svtav1-params crf=35.25:lp=1:scd=0:irefresh-type=2"
        f" -preset 10 -pix_fmt yuv420p -maxrate 1600000 {EVERY} {SDR}"
    )


@pytest.mark.parametrize(("cap", "vmaf", "told"), [(800_000, 94.0, 2_400_000), (60_000_000, None, 100_000_000)])
def test_av1_has_a_guard_far_above_its_cap(cap: int, vmaf: float | None, told: int):
    arguments = encoder_args(rung(codec="av1", max_bitrate=cap, vmaf=vmaf), GRID)
    assert arguments[arguments.index("-maxrate") + 1] == str(told)


def test_behind_another_chunk_the_buffer_is_half_full():
    begins, follows = " ".join(encoder_args(rung(), GRID)), " ".join(encoder_args(rung(), GRID, 240))
    assert begins.replace("-threads 1", "-threads 1 -rc_init_occupancy 800000") == follows
    begins, follows = (" ".join(encoder_args(rung(codec="hevc"), GRID, first)) for first in (0, 240))
    assert begins.replace(":log-level", ":vbv-init=0.5:log-level") == follows
    assert encoder_args(rung(codec="av1"), GRID, 240) == encoder_args(rung(codec="av1"), GRID)


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_key_pictures_of_the_source_are_forced_and_no_others(codec: str):
    # Given the key pictures of a source, and a chunk that begins at the second of them
    grid = Grid(fps=Fraction(25), gop_frames=50, segment_frames=100, starts=(0, 40, 290))
    arguments = encoder_args(rung(codec=codec, preset="10"), grid, first=40)
    # Then they are forced a quarter of a frame early, counted from the chunk, and no period comes between them
    assert arguments[arguments.index("-force_key_frames") + 1] == "0.000000,9.990000"
    assert int(arguments[arguments.index("-g") + 1]) > 250
    assert arguments[arguments.index("-keyint_min") + 1] == "1"


def test_slow_pictures_are_not_reordered():
    slow = Grid(fps=Fraction(5), gop_frames=10, segment_frames=20)
    assert "-bf" not in encoder_args(rung(), GRID)
    for codec in ("h264", "hevc"):
        arguments = encoder_args(rung(codec=codec), slow)
        assert arguments[arguments.index("-bf") + 1] == "0"


@pytest.mark.parametrize(("width", "height"), [(3840, 2160), (256, 144)])
def test_one_thread_writes_the_same_bytes_at_every_run(width: int, height: int):
    arguments = encoder_args(rung(width=width, height=height), GRID)
    assert arguments[arguments.index("-threads") + 1] == "1"
