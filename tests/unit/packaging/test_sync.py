from __future__ import annotations

import pytest

from rushes.packaging.sync import offsets, problem
from rushes.tracks import Segment, Track


def track(kind: str, seconds: float, start: float = 0.0) -> Track:
    segments = (Segment(name="00001.m4s", ticks=round(seconds * 1000), size=1),)
    return Track(
        name=kind,
        kind=kind,
        prefix="p/",
        codecs="c",
        timescale=1000,
        segments=segments,
        start_ticks=round(start * 1000),
    )  # type: ignore[arg-type]


def test_the_sound_that_is_furthest_off_counts() -> None:
    assert offsets([track("video", 10), track("audio", 10.02), track("audio", 9.9)]) == pytest.approx((0.0, -0.1))


def test_without_one_of_the_two_there_is_nothing_to_say() -> None:
    assert offsets([track("video", 10)]) is None
    assert problem([track("audio", 10)], partial=False) is None


@pytest.mark.parametrize(
    ("sound", "start", "partial", "wrong"),
    [
        (10.02, 0.0, False, False),
        (10.5, 0.0, False, False),
        (10.7, 0.0, False, True),
        (9.2, 0.0, False, True),
        (12.0, 0.0, True, False),
        (10.0, 0.2, False, True),
        (10.0, 0.2, True, True),
    ],
)
def test_what_is_refused(sound: float, start: float, partial: bool, wrong: bool) -> None:
    assert (problem([track("video", 10), track("audio", sound, start)], partial=partial) is not None) is wrong
