from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from rushes.engine.job import Job
from rushes.errors import StepFailure
from rushes.keys import pointer_key, tombstone_key
from rushes.model import (
    CleanupResult,
    LintResult,
    PackageResult,
    PublishResult,
    Skipped,
    TracksResult,
    Verdict,
    VerdictResult,
)
from rushes.options import Options
from rushes.packaging import cleanup, package, publish
from rushes.packaging.pointer import build_of, is_signed, moved, point
from rushes.packaging.takedown import takedown, unpublish
from rushes.states import Action, StepKind
from rushes.storage.memory import MemoryStore
from rushes.storage.store import POINTER, ConditionalPut, Headers, ObjectExists, ObjectMissing
from rushes.storage.workspace import Workspace
from rushes.tracks import Track

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


def test_the_pointer_says_whether_playing_takes_a_token(
    build: Build, publish_job: MakeJob, workspace: Workspace
) -> None:
    publish.run(publish_job(build(3), options=Options(playback="signed")), workspace)
    texts = [workspace.store.read(key).decode() for key in (MASTER, MPD)]
    assert [is_signed(text) for text in texts] == [True, True]
    assert [build_of(text) for text in texts] == [3, 3]
    assert "# rushes build=3 playback=signed" in texts[0].splitlines()[:4]  # where the origin looks
    publish.run(publish_job(build(4)), workspace)
    assert not is_signed(workspace.store.read(MASTER).decode())
    assert not is_signed("#EXTM3U\n# playback=signed\n# rushes build=3\n")


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


def test_a_review_leaves_a_build_whose_check_is_under_way(
    build: Build, publish_job: MakeJob, workspace: Workspace
) -> None:
    first = build(1)
    build(2)
    job = publish_job(first, build=2, params={"phase": "review"})
    inputs = {**job.inputs, "lint.ready": LintResult(build=1)}
    assert publish.run(job.model_copy(update={"inputs": inputs}), workspace) == PublishResult(build=1)
    # builds from before there were checks are published without one
    inputs = {**job.inputs, "lint.lazy": LintResult(build=2, musts=("hls.syntax",))}
    assert publish.run(job.model_copy(update={"inputs": inputs}), workspace) == PublishResult(build=1)
    workspace.store.put_bytes(f"media/{ASSET}/b/2/lint.json", b'{"musts": []}')
    inputs = {**job.inputs, "lint.ready": LintResult(build=1)}
    assert publish.run(job.model_copy(update={"inputs": inputs}), workspace) == PublishResult(build=2)


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


class Plain:
    """An object store and nothing more; `before_put` is called before each write, as if the writer was held up there."""

    def __init__(self, inner: MemoryStore) -> None:
        self.inner = inner
        self.before_put: Callable[[str], None] = lambda key: None

    def __getattr__(self, name: str) -> object:
        if name in ("put_if", "conditional"):
            raise AttributeError(name)
        return getattr(self.inner, name)

    def put_bytes(self, key: str, data: bytes, headers: Headers) -> object:
        held, self.before_put = self.before_put, lambda key: None
        held(key)
        return self.inner.put_bytes(key, data, headers)


@pytest.fixture
def plain(workspace: Workspace) -> Plain:
    store = Plain(workspace.store)
    assert not isinstance(store, ConditionalPut)
    return store


def held_before(store: Plain, key: str, meanwhile: Callable[[], object]) -> None:
    """Let `meanwhile` happen between the comparison and the write of `key`."""

    def before(name: str) -> None:
        if name == key:
            meanwhile()
        else:
            store.before_put = before

    store.before_put = before


@pytest.mark.parametrize("key", [MPD, MASTER])
def test_a_publisher_held_up_for_long_does_not_undo_a_newer_build(
    key: str, build: Build, plain: Plain, workspace: Workspace
) -> None:
    # Given a store without conditional puts, and a publisher of build 1 that stops between comparison and write
    build(1)
    build(2)
    held_before(plain, key, lambda: point(plain, ASSET, 2))
    # When build 2 was published meanwhile, and the old one goes on
    assert point(plain, ASSET, 1) == 2
    assert {build_of(workspace.store.read(name).decode()) for name in (MASTER, MPD)} == {2}


@pytest.mark.parametrize("conditional", [True, False])
def test_a_publisher_held_up_for_long_does_not_undo_an_unpublishing(
    conditional: bool, build: Build, plain: Plain, workspace: Workspace
) -> None:
    build(1)
    build(2)
    point(workspace.store, ASSET, 1)
    store: Any = plain
    if conditional:
        store = workspace.store
        put_if = store.put_if

        def slow(key: str, data: bytes, headers: Headers, *, etag: str | None) -> object:
            unpublish(plain, ASSET)
            return put_if(key, data, headers, etag=etag)

        store.put_if = slow
    else:
        held_before(plain, MASTER, lambda: unpublish(plain, ASSET))
    with pytest.raises(StepFailure, match="storage_unavailable"):
        point(store, ASSET, 2)
    assert not pointers(workspace)


@pytest.mark.parametrize("key", [MPD, MASTER])
def test_two_held_up_publishers_do_not_undo_a_newer_build(
    key: str, build: Build, plain: Plain, workspace: Workspace
) -> None:
    # Given two publishers of build 1, held up before one pointer each, between which build 2 was published
    build(1)
    build(2)
    other = Plain(workspace.store)
    held_before(other, MASTER if key == MPD else MPD, lambda: point(Plain(workspace.store), ASSET, 2))
    held_before(plain, key, lambda: point(other, ASSET, 1))
    point(plain, ASSET, 1)
    assert {build_of(workspace.store.read(name).decode()) for name in (MASTER, MPD)} == {2}


def test_a_plain_store_ends_with_the_newest_too(build: Build, plain: Plain, workspace: Workspace) -> None:
    for number in (1, 2, 3):
        build(number)
    for number in (2, 1, 3, 2):
        point(plain, ASSET, number)
    assert {build_of(workspace.store.read(name).decode()) for name in (MASTER, MPD)} == {3}
    # After an unpublishing, an older build may be published again
    unpublish(plain, ASSET)
    assert [found.key for found in workspace.store.list(f"media/{ASSET}/p/")] == []
    assert point(plain, ASSET, 1) == 1


def test_many_at_once_end_with_the_newest_on_a_plain_store_too(
    build: Build, plain: Plain, workspace: Workspace
) -> None:
    numbers = list(range(1, 9))
    for number in numbers:
        build(number)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: point(plain, ASSET, number), numbers))
    assert {build_of(workspace.store.read(key).decode()) for key in (MASTER, MPD)} == {8}


def test_a_build_that_grows_is_published_without_dash_and_a_complete_one_with_it(
    build: Callable[[int], PackageResult], publish_job: Callable[..., Job], workspace: Workspace
) -> None:
    first = build(1)
    workspace.store.delete(f"media/{ASSET}/b/1/manifest.mpd")
    assert publish.run(publish_job(first), workspace) == PublishResult(build=1)
    assert build_of(workspace.store.read(MASTER).decode()) == 1
    with pytest.raises(ObjectMissing):
        workspace.store.head(MPD)
    assert publish.run(publish_job(build(2)), workspace) == PublishResult(build=2)
    assert build_of(workspace.store.read(MPD).decode()) == 2


def test_a_build_for_hls_alone_leaves_no_older_dash_behind(
    build: Build, publish_job: MakeJob, workspace: Workspace
) -> None:
    publish.run(publish_job(build(1)), workspace)
    later = build(2)
    workspace.store.delete(f"media/{ASSET}/b/2/manifest.mpd")
    assert publish.run(publish_job(later), workspace) == PublishResult(build=2)
    assert build_of(workspace.store.read(MASTER).decode()) == 2
    with pytest.raises(ObjectMissing):
        workspace.store.read(MPD)
