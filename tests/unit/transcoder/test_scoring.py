from __future__ import annotations

import json
from pathlib import Path

import pytest

from rushes.errors import StepFailure
from rushes.plan import Viewing
from rushes.transcoder.kept import Kept, apart
from rushes.transcoder.scoring import escaped, log_path, pooled, read_scores, score_args

KEPT = Kept(Path("/s/kept.yuv"), Viewing(model="phone", width=1280, height=720), (0, 5, 40))


def test_the_kept_pictures_are_read_once_and_every_file_is_scored_against_them():
    files = [Path("/s/720.mp4"), Path("/s/360.mp4")]
    arguments = score_args(KEPT, [(files[0], (0, 5, 40)), (files[1], (0, 5, 22))])
    graph = arguments[arguments.index("-filter_complex") + 1]
    assert [argument for argument in arguments if argument.startswith("file:")] == [
        "file:/s/kept.yuv", "file:/s/720.mp4", "file:/s/360.mp4",
    ]  # fmt: skip
    assert arguments[arguments.index("-video_size") + 1] == "1280x720"
    assert graph.startswith("[0:v:0]setparams=range=limited:color_primaries=bt709")
    assert graph.count("libvmaf=model=version=vmaf_v1.0.16_5d0h:n_subsample=3") == 2
    assert "[2:v:0]select='eq(n,0)+eq(n,5)+eq(n,22)',settb=1/25,setpts=N*3,scale=1280:720" in graph
    assert graph.endswith(f"log_path={escaped(log_path(files[1]))}[scored1]")
    assert arguments[-3:] == ["-f", "null", "-"]


def test_every_scored_picture_is_kept_with_its_neighbours():
    wanted = [0, 1, 4, 5, 6, 39, 40, 41]
    terms = "+".join(f"eq(n,{frame})" for frame in wanted)
    assert KEPT.filters() == f"trim=end_frame=42,select='{terms}'"
    later = Kept(KEPT.path, KEPT.viewing, (7, 10))
    assert "eq(n,7)+eq(n,8)+eq(n,9)+eq(n,10)+eq(n,11)'" in later.filters()


@pytest.mark.parametrize(
    ("pictures", "there"), [(0, 0), (1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (6, 2), (7, 3), (8, 3)]
)
def test_of_a_source_that_ends_early_the_pictures_that_came_are_scored(pictures, there):
    assert KEPT.found(pictures * 1280 * 720 * 3 // 2) == KEPT.scored[:there]


def test_scored_pictures_do_not_share_neighbours():
    assert apart([9, 0, 2, 3, 3, 7]) == (0, 3, 7)


def test_pictures_that_are_spread_evenly_count_alike():
    assert pooled([100.0, 80.0, 90.0]) == pytest.approx(90.0)
    assert pooled([90.0], frames=60, gop=60) == 90.0


def test_the_later_ones_stand_for_what_is_missing_of_a_gop():
    assert pooled([100.0, 90.0, 80.0, 80.0], frames=28, gop=28) == pytest.approx(87.5)
    assert pooled([100.0, 90.0, 80.0, 80.0], frames=28, gop=56) == pytest.approx((87.5 + 80) / 2)
    assert pooled([90.0], frames=1, gop=60) == 90.0


def test_a_log_is_read_picture_by_picture():
    log = json.dumps(
        {"frames": [{"frameNum": 7 * index, "metrics": {"vmaf": score}} for index, score in enumerate((99.5, 80))]}
    )
    assert read_scores(log) == [99.5, 80.0]


@pytest.mark.parametrize("log", ["", "{}", '{"frames": []}', '{"frames": [{"metrics": {}}]}'])
def test_a_log_without_scores_is_a_failure(log):
    with pytest.raises(StepFailure, match="tool_failed"):
        read_scores(log)


def test_paths_survive_both_levels_of_quoting():
    assert escaped(Path("/a/b.json")) == "/a/b.json"
    assert escaped(Path("/a:b/c'd[e],f;g.json")) == r"/a\\:b/c\\\'d\[e\]\,f\;g.json"
