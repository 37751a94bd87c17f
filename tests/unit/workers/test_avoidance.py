from __future__ import annotations

from pathlib import Path

import pytest

from rushes.engine.job import Job, Twin
from rushes.facts import SourceRef
from rushes.model import ImageArtifact as Image
from rushes.model import PosterResult, TracksResult
from rushes.settings import load_policy, load_profile
from rushes.states import StepKind
from rushes.storage.memory import MemoryStore
from rushes.storage.store import IMMUTABLE
from rushes.storage.workspace import Workspace
from rushes.tracks import Segment, Track
from rushes.workers.avoidance import copied

OLD, NEW = "media/aaa/t/r1/1/360p/", "media/bbb/t/r2/3/360p/"
FILES = {"init.mp4": b"i" * 7, "00001.m4s": b"a" * 11, "00002.m4s": b"b" * 12}
RESULT = TracksResult(
    tracks=(
        Track(
            name="360p", kind="video", prefix=OLD, init_size=7, codecs="avc1.64001e", timescale=30_000,
            segments=(Segment(name="00001.m4s", ticks=60, size=11), Segment(name="00002.m4s", ticks=60, size=12)),
        ),
    )
)  # fmt: skip


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    store = MemoryStore()
    for name, data in FILES.items():
        store.put_bytes(OLD + name, data)
    return Workspace(store, tmp_path)


def job(result: TracksResult | PosterResult | None = RESULT) -> Job:
    twin = Twin(asset="aaa", result=result, cpu_seconds=9.0) if result else None
    return Job(
        step_id="s", key="encode.0", kind=StepKind.ENCODE, asset="bbb", tenant="t", fence=3, recipe="r2",
        source=SourceRef(key="sources/t/bbb/1", size=9), profile=load_profile("fast"), policy=load_policy("development"),
        twin=twin,
    )  # fmt: skip


def test_what_was_done_before_is_copied_to_a_place_of_its_own(workspace: Workspace) -> None:
    result = copied(job(), workspace)
    assert isinstance(result, TracksResult)
    assert result.tracks[0].prefix == NEW
    assert {name: workspace.store.read(NEW + name) for name in FILES} == FILES
    assert workspace.store.head(NEW + "00001.m4s").cache_control == IMMUTABLE
    assert workspace.store.head(NEW + "00001.m4s").content_type == "video/iso.segment"


def test_without_a_twin_nothing_is_copied(workspace: Workspace) -> None:
    assert copied(job(None), workspace) is None
    assert list(workspace.store.list("media/bbb/")) == []


def test_where_an_object_is_gone_the_work_is_done_and_the_log_says_why(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    workspace.store.delete(OLD + "00002.m4s")
    assert copied(job(), workspace) is None
    assert "encode.0 of bbb is done anew" in caplog.text


def test_where_an_object_is_another_one_the_work_is_done(workspace: Workspace) -> None:
    workspace.store.put_bytes(OLD + "00002.m4s", b"short")
    assert copied(job(), workspace) is None


def test_a_result_that_names_a_strangers_place_is_not_believed(workspace: Workspace) -> None:
    astray = PosterResult(poster=Image(key="sources/other/aaa/1", width=1, height=1))
    assert copied(job(astray), workspace) is None
