from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.moderation.sampling import LONG_SIDE, MOST_FRAMES, choose, sample
from rushes.tracks import Segment, Track


def track(height: int = 360, width: int = 640, seconds: float = 60.0, kind: str = "video", fps: int = 30) -> Track:
    segment = Segment(name="00001.m4s", ticks=max(1, round(seconds * 1000)), size=1)
    return Track(
        name=f"{height}p", kind=kind, prefix="p/", codecs="avc1", timescale=1000, segments=(segment,),
        width=width, height=height, fps=Fraction(fps),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "interval", "expected", "thin"),
    [
        (60, Fraction(1), 60, False),
        (2, Fraction(1, 4), 8, False),
        (0.1, Fraction(1, 30), 3, False),
        (2880, Fraction(2), 1440, False),
        (4 * 3600, Fraction(10), 1440, False),
        (4 * 3600 + 60, Fraction(14460, 1440), 1440, True),
    ],
)
def test_how_many_frames(seconds, interval, expected, thin):
    plan = sample(track(seconds=seconds))
    assert (plan.interval, plan.expected, plan.is_thin) == (interval, expected, thin)
    assert plan.fps * plan.interval == 1


@given(st.floats(0.001, 1e6), st.integers(2, 8192), st.integers(2, 8192), st.integers(1, 240))
def test_bounds_hold_for_every_video(seconds, width, height, fps):
    plan = sample(track(height, width, seconds, fps=fps))
    assert 1 <= plan.expected <= MOST_FRAMES
    assert 2 <= plan.width <= LONG_SIDE
    assert 2 <= plan.height <= LONG_SIDE
    assert plan.width % 2 == plan.height % 2 == 0


def test_shape_is_kept():
    plan = sample(track(1280, 720))
    assert (plan.width, plan.height) == (360, 640)


@pytest.mark.parametrize(
    ("heights", "chosen"), [([1080, 720, 360, 240], 360), ([1080], 1080), ([240, 144], 240), ([320, 319], 320)]
)
def test_the_lowest_sensible_rung(heights, chosen):
    tracks = [track(height, height * 16 // 9) for height in heights]
    found = choose([track(kind="audio"), *tracks])
    assert found is not None
    assert found.height == chosen


def test_portrait_rungs_count_by_their_short_side():
    found = choose([track(1280, 720), track(640, 360), track(426, 240)])
    assert found is not None
    assert found.width == 360


def test_nothing_to_look_at():
    assert choose([]) is None
    assert choose([track(kind="audio")]) is None
