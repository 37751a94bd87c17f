from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest

from rushes.facts import SourceFacts, VideoFacts
from rushes.plan import Look
from rushes.settings import load_profile
from rushes.transcoder.ladder import plan

PROFILE = load_profile("fast")


def look(
    seconds: float, size: tuple[int, int] = (1920, 1080), fps: int = 30, *, indexed: bool = True, rotation: int = 0
) -> Look:
    video = VideoFacts(
        index=0, codec="hevc", width=size[0], height=size[1], fps=Fraction(fps), duration=seconds, rotation=rotation
    )
    facts = SourceFacts(
        container="mp4", demuxer="mov", size=10_000_000, duration=seconds, video=video, indexed=indexed,
        keyframes=tuple(float(at) for at in range(int(seconds) + 1)),
    )  # fmt: skip
    found = plan(facts, PROFILE).look
    assert found is not None
    return found


def lengths(found: Look) -> list[float | None]:
    fps = found.ladder.grid.fps
    return [None if chunk.frames is None else float(chunk.frames / fps) for chunk in found.chunks]


def test_chunks_become_longer_and_the_last_goes_to_the_end() -> None:
    assert lengths(look(200)) == [4, 4, 8, 16, 32, 60, 60, None]


@pytest.mark.parametrize("seconds", [0.5, 3, 5, 7.9, 8.1, 20, 3600])
@pytest.mark.parametrize("indexed", [True, False])
def test_chunks_follow_each_other_from_the_beginning_at_segment_starts(seconds: float, indexed: bool) -> None:
    found = look(seconds, indexed=indexed)
    assert [chunk.number for chunk in found.chunks] == list(range(len(found.chunks)))
    assert found.chunks[0].first == 0
    assert found.chunks[-1].frames is None
    for one, other in pairwise(found.chunks):
        assert one.frames is not None
        assert other.first == one.first + one.frames
        assert other.first % found.ladder.grid.segment_frames == 0


def test_what_cannot_be_cut_is_read_twice_at_the_most() -> None:
    assert lengths(look(200, indexed=False)) == [4, None]


def test_a_large_and_fast_picture_begins_with_less_of_it() -> None:
    assert lengths(look(60, (3840, 2160), 60))[0] == 2
    assert lengths(look(60, (1920, 1080), 60))[0] == 4


def test_a_short_one_is_looked_at_whole() -> None:
    assert lengths(look(7)) == [None]


def test_it_is_one_low_rung_of_the_sources_shape_at_no_more_than_thirty_frames() -> None:
    (rung,) = look(20, (3840, 2160), 60, rotation=90).ladder.rungs
    assert (rung.width, rung.height, rung.codec) == (360, 640, "h264")
    assert look(20, fps=60).ladder.grid.fps == 30
    (small,) = look(20, (320, 240)).ladder.rungs
    assert (small.width, small.height) == (320, 240)
