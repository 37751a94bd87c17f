from __future__ import annotations

import pytest

from rushes.engine.quality import mean_vmaf, measured, replaced, spent
from rushes.model import TracksResult
from rushes.tracks import Segment, Track


def track(name: str = "720p", vmaf: float | None = 90.0, ticks: int = 100, prefix: str = "a/") -> Track:
    segments = (Segment(name="1.m4s", ticks=ticks, size=10),)
    return Track(name=name, kind="video", prefix=prefix, codecs="avc1", timescale=100, segments=segments, vmaf=vmaf)


def test_the_mean_is_by_length():
    assert mean_vmaf([track(vmaf=90, ticks=300), track(vmaf=80, ticks=100)]) == pytest.approx(87.5)


def test_what_was_not_measured_in_every_part_was_not_measured():
    assert mean_vmaf([track(vmaf=90), track(vmaf=None)]) is None
    assert mean_vmaf([]) is None
    assert measured([track(), track("360p", None), track(vmaf=80)]) == {"720p": 85.0}


def test_what_was_spent_is_that_of_all_parts():
    assert spent([track(ticks=300), track(ticks=100)]) == {"720p": pytest.approx(8 * 20 / 4)}


def test_a_second_try_takes_the_place_of_all_chunks_of_its_name():
    chunks = [TracksResult(tracks=(track(), track("360p"))) for _ in range(2)]
    again = TracksResult(tracks=(track(prefix="b/"),), replaces=True)
    found = replaced([*chunks, again])
    assert [(one.name, one.prefix) for result in found for one in result.tracks] == [
        ("360p", "a/"), ("360p", "a/"), ("720p", "b/"),
    ]  # fmt: skip


def test_without_one_nothing_changes():
    chunks = [TracksResult(tracks=(track(),)), TracksResult(tracks=(), replaces=True)]
    assert replaced(chunks) == chunks
