from __future__ import annotations

import pytest

from rushes.facts import Mastering
from rushes.plan import Grid, Rung
from rushes.transcoder.encoders import encoder_args
from rushes.transcoder.grading import believed_light, believed_mastering

P3 = Mastering(red=(0.68, 0.32), green=(0.265, 0.69), blue=(0.15, 0.06), white=(0.3127, 0.329), least=0.005, most=1000)


@pytest.mark.parametrize(
    ("change", "believed"),
    [
        ({}, True),
        ({"red": (0.708, 0.292), "green": (0.17, 0.797), "blue": (0.131, 0.046)}, True),
        ({"red": (0.0, 0.0), "green": (0.0, 0.0), "blue": (0.0, 0.0), "white": (0.0, 0.0)}, False),
        ({"red": (0.265, 0.69), "green": (0.15, 0.06), "blue": (0.68, 0.32)}, False),  # in another order
        ({"white": (0.3457, 0.3585)}, False),
        ({"most": 1.0}, False),  # in other units
        ({"most": 10_000_000.0}, False),
        ({"least": 5.0}, False),
    ],
)
def test_only_displays_that_there_are(make_facts, change: dict[str, object], believed: bool):
    said = P3.model_copy(update=change)
    assert believed_mastering(make_facts(hdr="pq", mastering=said).video) == (said if believed else None)


def test_hlg_needs_none(make_facts):
    video = make_facts(hdr="hlg", mastering=P3, light=(1000, 400)).video
    assert (believed_mastering(video), believed_light(video)) == (None, None)


@pytest.mark.parametrize(
    ("light", "believed"),
    [((1000, 400), True), ((0, 0), False), ((400, 1000), False), ((60_000, 400), False), ((1, 1), False)],
)
def test_the_brightest_pixel_is_as_bright_as_the_brightest_picture(make_facts, light, believed: bool):
    assert believed_light(make_facts(hdr="pq", light=light).video) == (light if believed else None)


def test_encoders_are_told_in_their_units():
    rung = Rung(
        name="r", width=640, height=360, codec="hevc", preset="medium", crf=22, max_bitrate=1000, buffer_bits=2000,
        hdr="pq", mastering=P3, light=(1000, 400),
    )  # fmt: skip
    grid = Grid(fps=25, gop_frames=50, segment_frames=100)
    hevc = " ".join(encoder_args(rung, grid))
    av1 = " ".join(encoder_args(rung.model_copy(update={"codec": "av1", "preset": "8"}), grid))
    x265 = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400"
    assert x265 in hevc
    assert (
        "mastering-display=G(0.265,0.69)B(0.15,0.06)R(0.68,0.32)WP(0.3127,0.329)L(1000,0.005):content-light=1000,400"
        in av1
    )
