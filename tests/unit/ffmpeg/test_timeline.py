"""Packets of one stream."""

from __future__ import annotations

import pytest

from rushes.ffmpeg.timeline import Timeline


def filled(times: list[float], *, joins: bool = False, step: float = 0.04) -> Timeline:
    timeline = Timeline(joins=joins)
    for number, time in enumerate(times):
        timeline.add(time, time, step, 100, key=number % 10 == 0)
    return timeline


def test_length_start_and_keyframes() -> None:
    timeline = filled([1 + number * 0.04 for number in range(25)])
    assert timeline.start == 1
    assert timeline.duration == pytest.approx(1.0)
    assert timeline.keyframes == pytest.approx([1.0, 1.4, 1.8])
    assert (timeline.packets, timeline.bytes) == (25, 2500)


def test_a_broadcast_clock_that_restarts_goes_on() -> None:
    times = [10 + number * 0.04 for number in range(25)]
    assert filled(times + times, joins=True).duration == pytest.approx(2.0)
    assert filled([*times, *(time + 5000 for time in times)], joins=True).duration == pytest.approx(2.0)


def test_a_gap_elsewhere_is_a_gap() -> None:
    """Nobody may hide three thousand hours from the duration limit."""
    assert filled([0.0, 10_800_000.0]).duration == pytest.approx(10_800_000.04)


def test_reordered_frames_count_by_presentation() -> None:
    timeline = Timeline()
    for pts, dts in ((0.08, 0.0), (0.2, 0.04), (0.12, 0.08), (0.16, 0.12)):
        timeline.add(pts, dts, 0.04, 1, key=False)
    assert (timeline.start, timeline.duration) == (pytest.approx(0.08), pytest.approx(0.16))


def test_packets_without_a_time_run_from_zero() -> None:
    timeline = Timeline()
    for number in range(50):
        timeline.add(None, None, 0.04, 1, key=number == 0)
    timeline.add(0.04, 0.04, 0.04, 1, key=False)
    assert timeline.start == 0
    assert timeline.duration == pytest.approx(2.0)
    assert timeline.keyframes == [0.0]


def test_nothing_known() -> None:
    assert Timeline().duration is None


def test_what_is_kept_is_bounded() -> None:
    timeline = filled([number * 0.001 for number in range(60_000)])
    assert len(timeline.times) == 4000
    assert len(timeline.keyframes) == 5000
    assert timeline.packets == 60_000
