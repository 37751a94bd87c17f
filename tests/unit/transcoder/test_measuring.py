from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from rushes.engine.job import ToolSettings
from rushes.ffmpeg.door import Door
from rushes.isobmff.movie import MovieTrack
from rushes.isobmff.samples import Sample
from rushes.plan import Chunk, Grid, Ladder, Rung, Viewing
from rushes.transcoder.measuring import group, kept_of, measure, samples

GRID = Grid(fps=Fraction(30), gop_frames=60, segment_frames=120)


@pytest.mark.parametrize(("frames", "number"), [(600, 8), (1200, 8), (3000, 20), (9000, 60)])
def test_pictures_are_measured_all_over_a_chunk(frames, number):
    found = samples(frames, GRID, 0)
    assert len(found) == number
    assert all(after - before < 3 * frames / number for before, after in pairwise([*found, frames]))


@pytest.mark.parametrize("frames", [1, 2, 3, 29, 61, 90, 600, 3001])
def test_they_are_in_order_and_do_not_share_neighbours(frames):
    found = samples(frames, GRID, 0)
    assert found and found[-1] < frames
    assert all(after - before >= 3 for before, after in pairwise(found))


def test_of_many_gops_the_first_halves_are_enough():
    assert all(frame % 60 < 30 for frame in samples(3000, GRID, 0))
    assert any(frame % 60 >= 30 for frame in samples(600, GRID, 0))


def test_they_are_not_all_at_one_place_of_their_gop():
    assert len({frame % 60 for frame in samples(600, GRID, 0)}) >= 6


def test_where_the_source_gives_the_grid_it_gives_the_gops():
    grid = GRID.model_copy(update={"starts": tuple(range(0, 9000, 50))})
    assert all(frame % 50 < 25 for frame in samples(4500, grid, 900))


def test_nothing_is_kept_where_the_plan_asks_for_no_measuring():
    one = Rung(name="720p", width=1280, height=720, crf=26, max_bitrate=10**6, buffer_bits=10**6)
    ladder = Ladder(rungs=(one,), grid=GRID)
    assert kept_of(ladder, Chunk(), 600, Path("/s")) is None
    seen = ladder.model_copy(update={"viewing": Viewing(model="phone", width=1280, height=720)})
    assert kept_of(seen, Chunk(), 0, Path("/s")) is None
    assert kept_of(seen, Chunk(), 600, Path("/s")).scored == samples(600, GRID, 0)


def test_what_is_decoded_ends_with_the_picture_that_is_measured():
    """Coded as I P B B, seen as I B B P."""
    seen = (0, 3, 1, 2, 6, 4, 5)
    track = MovieTrack(
        1, "vide", 30, b"", "avc1",
        samples=[Sample(index, pts - index, 1, 0, 1, sync=index == 0) for index, pts in enumerate(seen)],
    )  # fmt: skip
    assert group(track, (0, 7), (1,)) == (track.samples[:3], [1])
    assert group(track, (0, 7), (0, 3)) == (track.samples[:4], [0, 3])
    assert group(track, (0, 7), (9,)) == ([], [])


def test_what_cannot_be_measured_is_kept_and_the_log_says_why(tmp_path, caplog):
    rung = Rung(name="360p", width=640, height=360, crf=23, max_bitrate=1000, buffer_bits=1000)
    ladder = Ladder(rungs=(rung,), grid=GRID, viewing=Viewing(model="phone", width=640, height=360))
    kept = kept_of(ladder, Chunk(), 90, tmp_path)
    assert kept is not None
    assert measure(Door(ToolSettings()), ladder, Chunk(), [tmp_path / "360p.mp4"], kept) == {}
    assert "could not be measured" in caplog.text
