from __future__ import annotations

from fractions import Fraction

import pytest

from rushes.isobmff.movie import MovieTrack
from rushes.isobmff.samples import Sample
from rushes.plan import Grid
from rushes.transcoder.cuts import CutError, every, grid_starts, key_frames, packed, shown_at, sync_starts

GRID = Grid(fps=Fraction(30), gop_frames=60, segment_frames=120)


def video(*pictures: tuple[int, bool], timescale: int = 10, length: int = 1) -> MovieTrack:
    """A track from (presentation time, sync) in decode order."""
    samples = [
        Sample(dts * length, pts - dts * length, length, dts, 1, sync) for dts, (pts, sync) in enumerate(pictures)
    ]
    return MovieTrack(1, "vide", timescale, b"", "avc1.64001f", samples=samples)


def gops(count: int, frames: int, length: int = 1) -> MovieTrack:
    """Closed groups without reordering, `frames` pictures of `length` tenths of a second each."""
    return video(*((n * length, n % frames == 0) for n in range(count * frames)), length=length)


@pytest.mark.parametrize(
    ("frames", "starts"), [(1, [0]), (120, [0]), (121, [0]), (149, [0]), (150, [0, 120]), (300, [0, 120, 240])]
)
def test_the_grid_cuts_every_n_frames_and_a_short_rest_joins_the_last(frames, starts):
    assert grid_starts(frames, GRID) == starts
    assert grid_starts(frames, GRID, first=240) == starts


@pytest.mark.parametrize(("frames", "starts"), [(1, [0]), (2, [0]), (3, [0, 2]), (4, [0, 2]), (5, [0, 2, 4])])
def test_no_segment_begins_behind_the_last_frame_of_a_slow_film(frames, starts):
    slow = Grid(fps=Fraction(1), gop_frames=2, segment_frames=2)
    assert grid_starts(frames, slow) == starts


def test_a_grid_of_the_sources_own_is_taken_as_it_is():
    own = GRID.model_copy(update={"starts": (0, 50, 130, 290, 295)})
    assert grid_starts(300, own) == [0, 50, 130, 290, 295]
    # And a chunk has its part of it, by its own frames
    assert grid_starts(100, own, first=130) == [0]
    assert grid_starts(170, own, first=130) == key_frames(170, own, first=130) == [0, 160, 165]


def test_key_pictures_come_more_often_than_segments():
    assert key_frames(130, GRID) == [0, 60, 120]


def test_short_groups_are_joined_until_two_seconds():
    # Given a key picture every half second
    assert sync_starts(gops(9, 5)) == [0, 20, 40]


def test_a_long_track_has_longer_segments():
    # Given segments of two seconds, many of them
    track = gops(4 * 150, 5)
    starts = sync_starts(track)
    assert len(starts) == 150
    assert packed(starts, track) == starts[::3]
    # And few, or such that are long already
    assert packed(starts[:100], track) == starts[:100]
    slow = gops(150, 50)
    assert packed(sync_starts(slow), slow) == sync_starts(slow)


def test_long_groups_are_segments_of_their_own():
    assert sync_starts(gops(3, 100)) == [0, 100, 200]


def test_a_group_of_more_than_ten_and_a_half_seconds_is_refused():
    with pytest.raises(CutError, match=r"10\.60 s"):
        sync_starts(gops(2, 106))


def test_a_track_has_to_begin_with_a_key_picture():
    with pytest.raises(CutError, match="does not begin"):
        sync_starts(video((0, False), (1, True)))


def test_pictures_without_length_are_refused():
    with pytest.raises(CutError, match="no time"):
        sync_starts(video((0, True), length=0))


def test_an_open_group_is_not_cut():
    # Given a second key picture with a leading picture that is shown before it
    pictures = [(n, n == 0) for n in range(20)] + [(21, True), (20, False)] + [(n, False) for n in range(22, 40)]
    assert sync_starts(video(*pictures)) == [0]
    # And the same without the leading picture
    closed = [(n, n in (0, 20)) for n in range(40)]
    assert sync_starts(video(*closed)) == [0, 20]


def test_reordered_pictures_inside_a_group_do_not_matter():
    one = [(0, True), (3, False), (1, False), (2, False)]
    pictures = [(pts + 4 * group, sync) for group in range(12) for pts, sync in one]
    assert sync_starts(video(*pictures)) == [0, 20, 40]


def test_cut_times_are_those_of_the_pictures():
    track = gops(3, 25)
    assert shown_at(track, [0, 25, 50]) == [0, Fraction(5, 2), 5]


@pytest.mark.parametrize(
    ("duration", "expected"), [(0.01, [0]), (4.0, [0]), (4.9, [0]), (5.0, [0, 4]), (9.0, [0, 4, 8]), (0.0, [0])]
)
def test_every_gives_the_multiples_and_a_short_rest_joins_the_last(duration, expected):
    assert every(Fraction(4), duration) == expected
