from __future__ import annotations

import pytest

from rushes.engine.effort import encode_cost
from rushes.plan import Rung


def cost(codec: str, preset: str) -> float:
    rung = Rung(
        name="r", width=1920, height=1080, codec=codec, preset=preset, crf=23, max_bitrate=1000, buffer_bits=2000
    )
    return encode_cost(rung, 840)


def test_the_measured_one():
    sizes = ((1920, 1080), (1280, 720), (960, 540), (640, 360), (426, 240))
    rungs = [Rung(name="r", width=w, height=h, crf=23, max_bitrate=10**6, buffer_bits=10**6) for w, h in sizes]
    assert sum(encode_cost(rung, 900) for rung in rungs) == pytest.approx(37, rel=0.05)  # CPU-s of 30 s of 1080p30


def test_slower_presets_and_better_codecs_cost_more():
    ladder = [cost("h264", preset) for preset in ("ultrafast", "veryfast", "medium", "slow")]
    assert ladder == sorted(ladder)
    assert cost("av1", "10") < cost("av1", "8") < cost("av1", "6")
    assert cost("hevc", "medium") > cost("h264", "medium")


def test_what_is_not_known_is_guessed():
    assert cost("av1", "13") == cost("av1", "12")
    assert cost("h264", "placebo") > 0
