"""Which segments and pictures of a rung are asked for."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.enrichment.rendition import arguments, fps, holding, segment_seconds, snap, span
from rushes.errors import StepFailure
from rushes.tracks import Segment, Track

RATE = Fraction(30000, 1001)


def track(*frames: int, start: int = 0, rate: Fraction | None = RATE) -> Track:
    """A track whose segments have that many frames."""
    segments = tuple(Segment(name=f"{at}.m4s", ticks=count * 1001, size=1) for at, count in enumerate(frames))
    return Track(
        name="240p", kind="video", prefix="p/", codecs="avc1", timescale=30000, segments=segments,
        start_ticks=start, width=426, height=240, fps=rate,
    )  # fmt: skip


def test_a_time_becomes_that_of_the_picture_shown_then() -> None:
    second = float(1 / RATE)
    assert snap(track(120), [0, second * 1.5, second * 119.9, 99]) == pytest.approx(
        [0, second, second * 119, second * 119]
    )


def test_a_keyframe_is_the_nearest_start_of_a_segment() -> None:
    start = 120 * float(1 / RATE)
    assert snap(track(120, 120, 30), [0, 1.9, 2.1, 99], keyframes=True) == pytest.approx([0, 0, start, 2 * start])


def test_segments_are_found_by_the_times_in_them() -> None:
    assert holding(track(120, 120, 120), [0.1, 0.2, 9.0]) == [0, 2]
    assert holding(track(120, 120), [-5, 99]) == [0, 1]


@given(st.integers(0, 100_000), st.integers(1, 200))
def test_the_first_picture_of_a_segment_is_looked_for_in_that_segment(start: int, index: int) -> None:
    one = track(*[120] * 201, start=start)
    first = (start + index * 120 * 1001) / 30000
    assert holding(one, snap(one, [first + 1e-6])) == [index]


def test_the_span_begins_where_the_track_does() -> None:
    start, end = span(track(120, 60, start=30000))
    assert (start, end) == (1, pytest.approx(1 + 180 * 1001 / 30000))
    assert segment_seconds(track(120, 60)) == pytest.approx(4.004)


def test_a_track_without_a_rate_is_our_fault() -> None:
    with pytest.raises(StepFailure, match="internal"):
        fps(track(120, rate=None))


def test_the_command_asks_for_these_pictures_and_no_more() -> None:
    command = arguments(Path("/s/240p.mp4"), [0.0, 4.0], (160, 90), 25.0, keyframes=True)
    reads = command.index("-i")
    assert command[:3] == ["-copyts", "-skip_frame", "nokey"]
    assert command[3:5] == ["-colorspace", "bt709"]  # of pictures that do not say their matrix
    assert command[reads + 1] == "file:/s/240p.mp4"
    assert command[reads + 2 :] == [
        "-map", "0:v:0",
        "-vf", "select='(between(t,-0.020000,0.020000)+between(t,3.980000,4.020000))',"
        "scale=160:90:flags=area,setsar=1,format=rgb24",
        "-fps_mode", "passthrough", "-frames:v", "2",
        "-f", "rawvideo", "pipe:1",
    ]  # fmt: skip


def test_terms_stand_in_brackets_since_ffmpeg_takes_few_in_a_row() -> None:
    command = arguments(Path("/s/a.mp4"), [float(number) for number in range(50)], (2, 2), 25.0, keyframes=True)
    chosen = next(part for part in command if part.startswith("select=")).split("'")[1]
    assert [group.count("between") for group in chosen.split(")+(")] == [24, 24, 2]


def test_without_keyframes_all_pictures_are_decoded() -> None:
    assert "-skip_frame" not in arguments(Path("/s/a.mp4"), [0.0], (2, 2), 25.0, keyframes=False)
