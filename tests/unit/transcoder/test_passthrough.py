from __future__ import annotations

import pytest

from rushes.isobmff.movie import MovieTrack
from rushes.isobmff.samples import Sample
from rushes.transcoder.cuts import CutError
from rushes.transcoder.passthrough import check_sound


def sound(*frames: tuple[int, int]) -> MovieTrack:
    """A track from (duration, size) at 48 kHz."""
    samples = [Sample(0, 0, length, at, size, True) for at, (length, size) in enumerate(frames)]
    return MovieTrack(1, "soun", 48_000, b"", "mp4a.40.2", channels=2, samples=samples)


GOOD = (1024, 300)


def test_equal_frames_with_a_short_last_one_and_a_small_gap_are_sound():
    check_sound(sound(GOOD, GOOD, (1024 + 2816, 300), GOOD, (12, 300)))
    check_sound(sound(GOOD))
    check_sound(sound((1024, 8191)))


def test_frames_that_overlap_are_refused():
    # Given what a copy makes of an edit list that shows a part twice, or of an index with wrong times
    for frames in ([GOOD, (1, 300), (1, 300), GOOD, GOOD, GOOD, GOOD], [GOOD, GOOD, (400, 300), GOOD, GOOD]):
        with pytest.raises(CutError, match="do not follow"):
            check_sound(sound(*frames))


def test_frames_without_length_are_refused():
    with pytest.raises(CutError, match="too short"):
        check_sound(sound((1, 300), (1, 300), (1, 300)))


def test_a_long_gap_is_refused():
    with pytest.raises(CutError, match="do not follow"):
        check_sound(sound(GOOD, GOOD, (1024 + 9600, 300), GOOD, GOOD))


@pytest.mark.parametrize("size", [0, 8192, 16_000_000])
def test_frames_of_impossible_sizes_are_refused(size):
    with pytest.raises(CutError, match="sizes"):
        check_sound(sound(GOOD, (1024, size), GOOD))
