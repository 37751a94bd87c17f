"""Examples that were read from real encodes; tests/integration/transcoder/test_predicted.py makes some anew."""

from __future__ import annotations

from fractions import Fraction

import pytest

from rushes.plan import Rung
from rushes.transcoder.predicted import codecs_of


def made(size: tuple[int, int], rate: int = 5_000_000, codec: str = "h264", **more: object) -> Rung:
    fields = {"name": "x", "width": size[0], "height": size[1], "codec": codec, "crf": 23, "max_bitrate": rate}
    return Rung.model_validate({**fields, "buffer_bits": 2 * rate, "preset": "veryfast", **more})


@pytest.mark.parametrize(
    ("rung", "fps", "codecs"),
    [
        (made((1920, 1080)), 30, "avc1.640028"),
        (made((1920, 1080)), 60, "avc1.64002a"),
        (made((1280, 720), 2_800_000), 30, "avc1.64001f"),
        (made((720, 1280), 2_800_000), 60, "avc1.640020"),
        (made((960, 540), 1_600_000), 30, "avc1.64001f"),
        (made((640, 360), 800_000), 30, "avc1.64001e"),
        (made((426, 240), 400_000), 30, "avc1.640015"),
        (made((1280, 720), 2_800_000, "av1"), 30, "av01.0.05M.08"),
        (made((1920, 1080), 2_800_000, "av1"), 60, "av01.0.09M.08"),
        # What we have not watched is not told
        (made((1920, 1080), preset="ultrafast"), 30, None),
        (made((1920, 1080), codec="hevc"), 30, None),
        (made((1920, 1080), codec="av1", hdr="pq"), 30, None),
        (made((16_000, 9000)), 30, None),
    ],
)
def test_codecs_before_the_encode(rung: Rung, fps: int, codecs: str | None) -> None:
    assert codecs_of(rung, Fraction(fps)) == codecs
