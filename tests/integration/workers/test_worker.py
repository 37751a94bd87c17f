"""A real worker and its real children under faults: cancelled, killed, drained, fenced, out of memory."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from rushes.catalog.pipeline import Answer
from rushes.clock import SystemClock
from rushes.errors import REASONS
from rushes.states import AssetState, Pool, Publication, StepState
from rushes.workers.slots import LIGHT_SLOTS
from tests.integration.workers.conftest import Works, busy_child, children, until
from tests.services.children import alive, descendants

POISON = "import os, signal\ndef run(job, workspace):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
SLEEPER = """
import subprocess, sys, time
def run(job, workspace):
    workspace.progress(0.5)
    subprocess.run([sys.executable, "-c", "import time; time.sleep(600)"])
"""
HUNGRY = """
import time
def run(job, workspace):
    eaten = bytearray(400_000_000)
    eaten[::4096] = b"x" * len(eaten[::4096])
    time.sleep(600)
"""
FAILING_ONCE = """
from rushes.errors import Blame, StepFailure
def run(job, workspace):
    raise StepFailure("not_media") if job.fence > 1 else ValueError("a fault of ours")
"""
Planted = Callable[[str], None]
AT_ONCE = 20.0
"""Seconds, on a machine that may be busy. What is not waited for takes longer: the end of an encode, a lease, last words."""
WARM = LIGHT_SLOTS + 2
"""Children of an idle worker with two heavy slots."""


@pytest.fixture
def last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waited for them would be seen to."""
    monkeypatch.setattr("rushes.workers.worker.LAST_WORDS", 3 * AT_ONCE)


async def test_cancelling_ends_the_tool_and_the_asset_within_seconds(works: Works, endless_clip: Path) -> None:
    asset = works.ingest(endless_clip)
    async with works.working(heartbeat=1.0):
        # Given an encode that is under way
        await until(lambda: works.is_running(asset, "encode.0") and busy_child())
        child = busy_child()
        assert child is not None
        below = [child, *child.children(recursive=True)]
        # When the asset is cancelled
        works.catalog.cancel(asset)
        await until(lambda: not any(alive(process) for process in below) and works.all_final(asset), AT_ONCE)
        # Then child and tools are gone and everything has ended
        found = works.catalog.asset(asset)
        assert found.state is AssetState.FAILED
        assert found.reason is not None and found.reason.code == "cancelled"
        assert not descendants("ffmpeg")


async def test_a_child_that_is_killed_is_replaced_and_its_step_done(works: Works, slow_clip: Path) -> None:
    asset = works.ingest(slow_clip)
    async with works.working():
        await until(lambda: works.is_running(asset, "encode.0") and busy_child())
        child = busy_child()
        assert child is not None
        tools = child.children(recursive=True)
        # When a child is killed in the middle of its step
        child.send_signal(signal.SIGKILL)
        # Then its tools die with it, and another attempt brings the asset to its end
        await until(lambda: not any(alive(process) for process in tools), 5)
        await until(lambda: works.all_final(asset), 240)
    step = works.step(asset, "encode.0")
    assert step is not None
    assert works.attempts(step.id) == [("failed", "tool_killed"), ("done", None)]
    assert works.catalog.asset(asset).publication is Publication.PUBLISHED


async def test_a_step_that_kills_its_child_every_time_is_quarantined(
    works: Works, quick_clip: Path, planted: Planted
) -> None:
    planted(POISON)
    asset = works.ingest(quick_clip)
    async with works.working():
        await until(lambda: works.all_final(asset), 60)
    probe = works.step(asset, "probe")
    assert probe is not None and probe.reason is not None
    assert probe.reason.code == "quarantined"
    assert works.attempts(probe.id) == [("failed", "tool_killed")] * 3
    assert works.catalog.asset(asset).reason == probe.reason


async def test_a_drain_gives_the_step_back_and_forgives_the_attempt(
    works: Works, endless_clip: Path, last_words: None
) -> None:
    asset = works.ingest(endless_clip)
    # Given an encode that is under way
    async with works.working():
        await until(lambda: works.is_running(asset, "encode.0") and busy_child())
        started = SystemClock().monotonic()
    # When the worker is asked to stop, it does so at once (that no process is left is checked by `working`)
    assert SystemClock().monotonic() - started < AT_ONCE
    step = works.step(asset, "encode.0")
    assert step is not None
    assert (step.state, step.attempts) == (StepState.READY, 0)
    assert works.attempts(step.id) == [("released", None)]
    assert works.catalog.fleet().workers == ()


async def test_an_idle_worker_stops_at_once(works: Works, last_words: None) -> None:
    async with works.working():
        await until(lambda: len(children()) == WARM)
        started = SystemClock().monotonic()
    assert SystemClock().monotonic() - started < AT_ONCE


async def test_a_zombie_is_killed_and_its_result_refused(works: Works, quick_clip: Path, planted: Planted) -> None:
    planted(SLEEPER)
    asset = works.ingest(quick_clip)
    async with works.working():
        await until(lambda: works.is_running(asset, "probe", beyond=0.4) and busy_child("time.sleep(600)"))
        child = busy_child("time.sleep(600)")
        assert child is not None
        # When its lease is taken away and given to somebody else
        with works.store.database.write() as tx:
            tx.execute("UPDATE steps SET lease_expires = 0 WHERE key = 'probe'")
            tx.execute("UPDATE steps SET fence = fence + 1, lease_owner = 'thief' WHERE key = 'probe'")
            tx.execute("UPDATE steps SET lease_expires = 9e9 WHERE key = 'probe'")
        # Then the child dies, and the step stays the other's
        await until(lambda: not alive(child), AT_ONCE)
        probe = works.step(asset, "probe")
        assert probe is not None
        assert probe.state is StepState.RUNNING
        works.catalog.delete(asset)


async def test_a_child_that_takes_too_much_memory_is_stopped(
    tmp_path: Path, quick_clip: Path, planted: Planted
) -> None:
    planted(HUNGRY)
    works = Works(tmp_path / "data", slots=1, step_memory=300_000_000)
    asset = works.ingest(quick_clip)
    async with works.working():
        await until(lambda: works.all_final(asset), 30)
    found = works.catalog.asset(asset)
    assert found.reason is not None and found.reason.code == "over_limit_memory"
    assert found.reason.message == REASONS["over_limit_memory"]


async def test_a_fault_of_ours_costs_an_attempt_and_is_told_apart_from_a_dead_child(
    works: Works, quick_clip: Path, planted: Planted
) -> None:
    planted(FAILING_ONCE)
    asset = works.ingest(quick_clip)
    async with works.working(pools=(Pool.IO,)):
        await until(lambda: works.all_final(asset), 30)
    probe = works.step(asset, "probe")
    assert probe is not None
    assert works.attempts(probe.id) == [("failed", "internal"), ("failed", "not_media")]


async def test_two_tenants_take_turns(works: Works, quick_clip: Path, planted: Planted) -> None:
    planted('from rushes.errors import StepFailure\ndef run(job, workspace):\n    raise StepFailure("not_media")\n')
    # Given one tenant with six uploads and, after them, another with two
    greedy = [works.ingest(quick_clip, "greedy") for _ in range(6)]
    modest = [works.ingest(quick_clip, "modest") for _ in range(2)]
    async with works.working(pools=(Pool.IO,)):
        await until(lambda: works.all_final(*greedy, *modest), 60)
    # Then the second does not wait for all of the first
    with works.store.database.read() as tx:
        rows = tx.all("SELECT tenant FROM steps WHERE key = 'probe' ORDER BY started_at")
    order = [row["tenant"] for row in rows]
    assert order[:4].count("modest") == 2


async def test_two_uploads_at_once_are_both_published(works: Works, quick_clip: Path) -> None:
    first, second = works.ingest(quick_clip, "a"), works.ingest(quick_clip, "b")
    async with works.working():
        await until(lambda: works.all_final(first, second), 90)
    for asset in (first, second):
        found = works.catalog.asset(asset)
        assert (found.state, found.publication) == (AssetState.READY, Publication.PUBLISHED)


async def test_work_goes_on_after_the_catalog_was_locked_for_a_while(
    works: Works,
    quick_clip: Path,
    planted: Planted,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(logging.getLogger("rushes"), "propagate", True)
    planted('from rushes.errors import StepFailure\ndef run(job, workspace):\n    raise StepFailure("not_media")\n')
    monkeypatch.setattr("rushes.catalog.sqlite.LOCK_PATIENCE", 0.1)
    asset = works.ingest(quick_clip)
    blocker = Works(works.settings.data)
    with blocker.store.database.write() as tx:
        tx.execute("UPDATE assets SET next_build = next_build")
        async with works.working(pools=(Pool.IO,)):
            await until(lambda: len(children()) == WARM)
            await until(lambda: [line for line in caplog.messages if line.startswith("nothing can be claimed now")])
            assert all(step.state is StepState.READY for step in works.catalog.steps(asset))
    async with works.working(pools=(Pool.IO,)):
        await until(lambda: works.all_final(asset), 30)


async def test_an_idle_child_that_died_is_not_given_a_step(works: Works, quick_clip: Path) -> None:
    async with works.working():
        await until(lambda: len(children()) == WARM)
        for child in children():
            os.kill(child.pid, signal.SIGKILL)
        await until(lambda: not children())
        asset = works.ingest(quick_clip)
        await until(lambda: works.all_final(asset), 90)
    probe = works.step(asset, "probe")
    assert probe is not None
    assert works.attempts(probe.id) == [("done", None)]


def test_a_heartbeat_says_when_to_stop(works: Works, quick_clip: Path) -> None:
    asset = works.ingest(quick_clip)
    claim = works.pipeline.claim(tuple(Pool), "w")
    assert claim is not None
    assert works.pipeline.renew(claim.job, 0.1) is Answer.OK
    works.catalog.cancel(asset)
    assert works.pipeline.renew(claim.job, 0.1) is Answer.CANCEL
