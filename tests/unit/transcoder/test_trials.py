from __future__ import annotations

import pytest

from rushes.profiles import CodecTarget
from rushes.transcoder.grid import plan_grid
from rushes.transcoder.ladder import rung_sizes
from rushes.transcoder.surface import SCALES
from rushes.transcoder.trials import trial_ladder

H264, AV1 = CodecTarget(codec="h264", preset="veryfast", crf=23), CodecTarget(codec="av1", preset="10", crf=36)
NOMINAL = [1080, 720, 540, 432, 360, 240]


@pytest.fixture
def grid(make_facts, profile):
    return plan_grid(make_facts().video, profile.video)


def tried(source, codec, grid):
    return [
        (min(rung.width, rung.height), rung.crf)
        for rung in trial_ladder(rung_sizes(source, NOMINAL), codec, grid).rungs
    ]


def test_every_size_once_and_the_half_twice(grid):
    assert tried((1920, 1080), H264, grid) == [(1080, 26), (720, 30), (540, 24), (540, 34), (360, 30), (240, 30)]


def test_small_and_single_sizes_are_still_tried_at_two_crfs(grid):
    assert tried((640, 360), H264, grid) == [(360, 26), (240, 24), (240, 34)]
    assert tried((320, 180), H264, grid) == [(180, 24), (180, 32)]


def test_av1_has_crfs_of_its_own(grid):
    crfs = [crf for _, crf in tried((1280, 720), AV1, grid)]
    assert all(SCALES["av1"].least <= crf <= SCALES["av1"].most for crf in crfs)
    assert min(crfs) > 36


def test_av1_needs_no_size_twice_but_where_there_is_one_only(grid):
    assert [side for side, _ in tried((1280, 720), AV1, grid)] == [720, 540, 432, 360, 240]
    assert [side for side, _ in tried((320, 180), AV1, grid)] == [180, 180]


def test_names_are_unique_and_sizes_fall(grid):
    ladder = trial_ladder(rung_sizes((1080, 1920), NOMINAL), H264, grid.model_copy(update={"starts": (0, 70)}))
    assert len({rung.name for rung in ladder.rungs}) == len(ladder.rungs)
    sides = [rung.width for rung in ladder.rungs]
    assert sides == sorted(sides, reverse=True)
    assert ladder.grid.starts == ()
