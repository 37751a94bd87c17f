from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from rushes.engine.job import Job
from rushes.errors import StepFailure
from rushes.keys import pointer_key, tombstone_key
from rushes.model import (
    CleanupResult,
    PackageResult,
    PublishResult,
    Skipped,
    Track,
    TracksResult,
    Verdict,
    VerdictResult,
)
from rushes.packaging import cleanup, package, publish
from rushes.packaging.pointer import build_of, moved, point
from rushes.packaging.takedown import takedown, unpublish
from rushes.states import Action, StepKind
from rushes.storage.memory import MemoryStore
from rushes.storage.store import POINTER, Headers, ObjectExists, ObjectMissing
from rushes.storage.workspace import Workspace

ASSET = "0" * 26
Make = Callable[..., Track]
MakeJob = Callable[..., Job]
MASTER, MPD = pointer_key(ASSET, "master.m3u8"), pointer_key(ASSET, "manifest.mpd")


def verdict(action: Action) -> VerdictResult:
    return VerdictResult(verdict=Verdict(action=action, policy="p@1", rules=()))


@pytest.fixture
def build(
    make_video: Make, make_audio: Make, make_job: MakeJob, workspace: Workspace
) -> Callable[[int], PackageResult]:
    def make(number: int) -> PackageResult:
        inputs = {"encode.0": TracksResult(tracks=(make_video(), make_audio()))}
        result = package.run(make_job(build=number, params={"phase": "ready"}, inputs=inputs), workspace)
        assert isinstance(result, PackageResult)
        return result

    return make


@pytest.fixture
def publish_job(make_job: MakeJob) -> Callable[..., Job]:
    def make(result: PackageResult, action: Action = Action.PUBLISH, **more: object) -> Job:
        inputs = {"package.ready": result, "verdict.ready": verdict(action)}
        return make_job(**({"kind": StepKind.PUBLISH, "params": {"phase": "ready"}, "inputs": inputs} | more))

    return make


Build = Callable[[int], PackageResult]


def test_the_pointer_leads_into_the_build(build: Build, publish_job: MakeJob, workspace: Workspace) -> None:
    assert publish.run(publish_job(build(3)), workspace) == PublishResult(build=3)
    master = workspace.store.read(MASTER).decode()
    assert [line for line in master.splitlines() if not line.startswith("#")] == ["b/3/720p.m3u8"]
    assert 'URI="b/3/audio.m3u8"' in master
    assert 'URI="b/3/720p-iframes.m3u8"' in master
    mpd = workspace.store.read(MPD).decode()
    assert 'media="t/r/1/720p/$Number%05d$.m4s"' in mpd
    assert 'initialization="t/a/1/audio/init.mp4"' in mpd
    assert ".." not in master + mpd
    assert workspace.store.head(MASTER).cache_control == POINTER
    assert workspace.store.head(MPD).content_type == "application/dash+xml"


@pytest.mark.parametrize("action", [Action.HOLD, Action.BLOCK])
def test_a_verdict_against_it_stops_it(
    action: Action, build: Build, publish_job: MakeJob, workspace: Workspace
) -> None:
    result = publish.run(publish_job(build(1), action), workspace)
    assert isinstance(result, Skipped)
    assert result.reason.code == f"verdict_{action.value}"
    assert not pointers(workspace)


def test_no_verdict_is_no_leave(build: Build, publish_job: MakeJob, workspace: Workspace) -> None:
    assert isinstance(publish.run(publish_job(build(1), inputs={"package.ready": build(1)}), workspace), Skipped)


def test_the_present_verdict_may_be_stricter_than_the_one_waited_for(
    build: Build, publish_job: MakeJob, workspace: Workspace
) -> None:
    job = publish_job(build(1), verdict=verdict(Action.BLOCK).verdict)
    assert isinstance(publish.run(job, workspace), Skipped)


def test_a_moderator_overrules(build: Build, publish_job: MakeJob, workspace: Workspace) -> None:
    allowed = publish_job(build(1), Action.HOLD, verdict_override=Action.PUBLISH)
    assert publish.run(allowed, workspace) == PublishResult(build=1)
    forbidden = publish_job(build(1), Action.PUBLISH, verdict_override=Action.BLOCK)
    assert isinstance(publish.run(forbidden, workspace), Skipped)


def test_only_upwards(build: Build, publish_job: MakeJob, workspace: Workspace) -> None:
    old, new = build(1), build(2)
    assert publish.run(publish_job(new), workspace) == PublishResult(build=2)
    # When a late publish of the older build comes
    assert publish.run(publish_job(old), workspace) == PublishResult(build=2)
    assert build_of(workspace.store.read(MASTER).decode()) == 2
    assert build_of(workspace.store.read(MPD).decode()) == 2


def test_many_at_once_end_with_the_newest(build: Build, workspace: Workspace) -> None:
    numbers = list(range(1, 9))
    for number in numbers:
        build(number)
    threads = [threading.Thread(target=point, args=(workspace.store, ASSET, number)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {build_of(workspace.store.read(key).decode()) for key in (MASTER, MPD)} == {8}


class Contested(MemoryStore):
    """Somebody else always writes first."""

    def put_if(self, key: str, data: bytes, headers: Headers, *, etag: str | None) -> object:
        raise ObjectExists(key)


def test_endless_contention_is_a_failure_not_a_loop(build: Build, workspace: Workspace) -> None:
    build(1)
    contested = Contested()
    for info in workspace.store.list("media/"):
        contested.put_bytes(info.key, workspace.store.read(info.key))
    with pytest.raises(StepFailure, match="storage_unavailable"):
        point(contested, ASSET, 1)


def test_a_deleted_asset_is_not_published(build: Build, publish_job: MakeJob, workspace: Workspace) -> None:
    job = publish_job(build(1))
    workspace.store.put_bytes(tombstone_key(ASSET), b"")
    assert isinstance(publish.run(job, workspace), Skipped)
    assert not pointers(workspace)


def test_a_takedown_during_the_publish_wins(build: Build, publish_job: MakeJob, workspace: Workspace) -> None:
    # Given a store in which the tombstone appears just after the pointer was written
    store = workspace.store
    put_if = store.put_if

    def then_deleted(key: str, data: bytes, headers: Headers, *, etag: str | None) -> object:
        info = put_if(key, data, headers, etag=etag)
        if key == MASTER:
            store.put_bytes(tombstone_key(ASSET), b"")
        return info

    job = publish_job(build(1))
    store.put_if = then_deleted
    # When it is published, then no pointer stays
    assert isinstance(publish.run(job, workspace), Skipped)
    assert not pointers(workspace)


def test_a_review_publishes_the_newest_build(build: Build, publish_job: MakeJob, workspace: Workspace) -> None:
    first = build(1)
    build(2)
    job = publish_job(first, build=2, params={"phase": "review"})
    assert publish.run(job, workspace) == PublishResult(build=2)
    # but never one that is not there
    unpublish(workspace.store, ASSET)
    assert publish.run(publish_job(first, build=9, params={"phase": "review"}), workspace) == PublishResult(build=1)


def test_unpublish_can_be_taken_back(
    build: Build, publish_job: MakeJob, make_job: MakeJob, workspace: Workspace
) -> None:
    job = publish_job(build(1))
    publish.run(job, workspace)
    done = cleanup.run(make_job(StepKind.CLEANUP, params={"what": "unpublish"}), workspace)
    assert done == CleanupResult(objects=2)
    assert not pointers(workspace)
    assert publish.run(job, workspace) == PublishResult(build=1)


def test_takedown_leaves_only_the_tombstone(
    build: Build, publish_job: MakeJob, make_job: MakeJob, workspace: Workspace
) -> None:
    publish.run(publish_job(build(1)), workspace)
    for key in (f"artifacts/{ASSET}/r/1/poster.jpg", f"sources/t/{ASSET}/1", "media/" + "1" * 26 + "/other"):
        workspace.store.put_bytes(key, b"x")
    cleanup.run(make_job(StepKind.CLEANUP, params={"what": "delete"}), workspace)
    assert [info.key for info in workspace.store.list("")] == ["media/" + "1" * 26 + "/other", tombstone_key(ASSET)]


def test_takedown_names_what_caches_may_hold(build: Build, publish_job: MakeJob, workspace: Workspace) -> None:
    publish.run(publish_job(build(1)), workspace)
    workspace.store.put_bytes(f"sources/t/{ASSET}/1", b"x")
    purge = takedown(workspace.store, ASSET, "t")
    assert purge[:2] == [f"/{MASTER}", f"/{MPD}"]
    assert f"/media/{ASSET}/b/1/720p.m3u8" in purge
    assert not any(path.startswith("/sources") for path in purge)
    assert takedown(workspace.store, ASSET, "t")[:2] == purge[:2]


def test_an_unknown_cleanup_is_our_fault(make_job: MakeJob, workspace: Workspace) -> None:
    with pytest.raises(StepFailure):
        cleanup.run(make_job(StepKind.CLEANUP, params={"what": "tidy"}), workspace)


def test_a_list_of_chunks_is_moved_too() -> None:
    text = '<SegmentURL media="../../t/r/00001.m4s" /><Initialization sourceURL="../../t/r/init.mp4" />'
    assert (
        moved("manifest.mpd", text, 4)
        == '<SegmentURL media="t/r/00001.m4s" /><Initialization sourceURL="t/r/init.mp4" />'
    )


def pointers(workspace: Workspace) -> list[str]:
    found = []
    for key in (MASTER, MPD):
        try:
            found.append(workspace.store.head(key).key)
        except ObjectMissing:
            continue
    return found
