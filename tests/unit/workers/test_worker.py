"""The worker's loops with a catalog that is told what to answer: what goes wrong ends nothing and forgets nothing."""

from __future__ import annotations

import asyncio
import logging
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.pipeline import Answer
from rushes.catalog.records import Beat, Claim
from rushes.catalog.workforce import Colleague, Heard, Presence
from rushes.clock import ManualClock
from rushes.engine.job import Job, ToolSettings
from rushes.facts import SourceRef
from rushes.settings import load_policy, load_profile
from rushes.states import Pool, StepKind
from rushes.workers import attempting, upkeep
from rushes.workers import worker as module
from rushes.workers.children import Children, NoChild
from rushes.workers.doorbell import MemoryDoorbell
from rushes.workers.worker import Plant, Worker


class FakePipeline:
    """Hands out its jobs once and keeps a diary; `trouble` is raised once by the call of that name."""

    lease = 15.0
    counts = True
    """Whether anybody wants to know that a step failed."""
    wanted = ""
    """What an operator asks of the worker."""

    def __init__(self, *jobs: Job, **trouble: Exception) -> None:
        self._jobs = list(jobs)
        self._trouble = trouble
        self.diary: list[str] = []
        self.slots: set[int] = set()
        """As the worker told them."""

    def _note(self, name: str, said: str = "") -> None:
        self.diary.append(f"{name} {said}".strip())
        if name in self._trouble:
            raise self._trouble.pop(name)

    def claim(self, pools: object, worker: str, **_: object) -> Claim | None:
        self._note("claim")
        return Claim(job=self._jobs.pop(0), lease_expires=1.0) if self._jobs else None

    def complete(self, job: Job, result: object, cpu_seconds: float, **_: object) -> bool:
        self._note("complete", job.key)
        return True

    def complete_and_claim(
        self, job: Job, result: object, cpu_seconds: float, then: object, **more: object
    ) -> tuple[bool, Claim | None]:
        return self.complete(job, result, cpu_seconds, **more), None

    def fail(self, job: Job, reason: Any, blame: object, **_: object) -> bool:
        self._note("fail", f"{job.key} {reason.code}")
        return self.counts

    def release(self, job: Job, how: str, cpu_seconds: float = 0.0) -> bool:
        self._note("release", f"{job.key} {how}")
        return True

    def look_after(self, worker: str) -> dict[str, int]:
        self._note("look_after")
        return {}

    def housekeep(self, days: float) -> int:
        self._note("housekeep")
        return 0

    def report(self, worker: str, presence: Presence) -> Heard:
        self._note("report", presence.state if presence.state != "working" else "")
        self.slots.add(presence.slots)
        return Heard(now=ManualClock().now(), wanted=self.wanted)

    def renew_all(self, beats: list[Beat]) -> dict[str, Answer]:
        self._note("renew")
        return {beat.step: Answer.OK for beat in beats}

    def peers(self, worker: str) -> list[Colleague]:
        return []

    def leave(self, worker: str) -> None:
        self._note("leave")


def job(kind: StepKind) -> Job:
    return Job(
        step_id="s", key=kind.value, kind=kind, asset="a", tenant="t", fence=1, recipe="r",
        source=SourceRef(key="k", size=1), profile=load_profile("fast"), policy=load_policy("development"),
    )  # fmt: skip


@pytest.fixture(autouse=True)
def no_processes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    async def none(_: Children) -> None:
        raise NoChild("no memory")

    monkeypatch.setattr(Children, "warm", lambda _: None)
    monkeypatch.setattr(Children, "take", none)
    monkeypatch.setattr(upkeep, "REPORT_EVERY", 0.01)
    monkeypatch.setattr(module, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(attempting, "NO_CHILD_PAUSE", 60.0)
    yield


async def work(
    pipeline: FakePipeline, tmp_path: Path, until: Callable[[], object], clock: ManualClock | None = None,
    pools: Sequence[Pool] = (Pool.IO, Pool.PUBLISH),
) -> None:  # fmt: skip
    """A worker that works until the condition holds, then drains."""
    plant = Plant(
        name="w", pipeline=pipeline, listener=MemoryDoorbell(), scratch=tmp_path / "scratch",  # type: ignore[arg-type] # it answers the same calls
        storage=f"file://{tmp_path}", tools=ToolSettings(), room=1000, clock=clock or ManualClock(),
    )  # fmt: skip
    worker = Worker(plant, pools, 1)
    task = asyncio.create_task(worker.run())
    with suppress(TimeoutError):
        async with asyncio.timeout(5):
            while not until() and not task.done():
                await asyncio.sleep(0.005)
    held = until()
    worker.stop()
    await asyncio.wait_for(task, 5)
    assert held


async def test_where_no_child_can_be_started_the_step_is_given_back_unharmed(tmp_path: Path) -> None:
    pipeline = FakePipeline(job(StepKind.CHECKSUM))
    await work(pipeline, tmp_path, lambda: "release checksum released" in pipeline.diary)
    assert not any(entry.startswith("fail") for entry in pipeline.diary)


async def test_a_result_that_the_catalog_cannot_take_is_a_failed_attempt(tmp_path: Path) -> None:
    pipeline = FakePipeline(job(StepKind.VERDICT), complete=TypeError("no effect is defined"))
    await work(pipeline, tmp_path, lambda: "fail verdict internal" in pipeline.diary)


@pytest.mark.parametrize("counts", [True, False])
async def test_what_fails_because_its_asset_is_gone_is_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, counts: bool
) -> None:
    caplog.set_level(logging.INFO, "rushes")
    pipeline = FakePipeline(job(StepKind.VERDICT), complete=TypeError("no effect is defined"))
    pipeline.counts = counts
    await work(pipeline, tmp_path, lambda: any(entry.startswith("fail") for entry in pipeline.diary))
    assert [entry.levelname for entry in caplog.records if entry.message == "step failed"] == ["ERROR"] * counts


async def test_a_result_waits_for_a_catalog_that_is_away(tmp_path: Path) -> None:
    pipeline = FakePipeline(job(StepKind.VERDICT), complete=DatabaseUnavailable("locked"))
    await work(pipeline, tmp_path, lambda: pipeline.diary.count("complete verdict") == 2)


async def test_a_catalog_that_is_away_ends_no_loop(tmp_path: Path) -> None:
    away = DatabaseUnavailable("locked")
    pipeline = FakePipeline(job(StepKind.VERDICT), claim=away, report=away, look_after=away, leave=away)
    await work(pipeline, tmp_path, lambda: "complete verdict" in pipeline.diary and "housekeep" in pipeline.diary)


async def test_a_worker_whose_scratch_disk_is_full_claims_nothing_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looks = iter([0, 0, 0])
    free = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free._replace(free=next(looks, 10**12)))
    pipeline = FakePipeline(job(StepKind.VERDICT))
    await work(pipeline, tmp_path, lambda: "complete verdict" in pipeline.diary)
    assert caplog.text.count("the scratch disk is full") == 1


async def test_a_scratch_folder_that_somebody_removed_ends_nothing(tmp_path: Path) -> None:
    pipeline = FakePipeline()
    jobs = [job(StepKind.VERDICT)]
    reported = pipeline.report

    def report(worker: str, presence: Presence) -> Heard:
        if pipeline.diary.count("report") < 2:
            shutil.rmtree(tmp_path / "scratch", ignore_errors=True)
        else:
            pipeline._jobs, jobs[:] = [*pipeline._jobs, *jobs], []
        return reported(worker, presence)

    pipeline.report = report  # type: ignore[method-assign]
    lock = tmp_path / "scratch" / "w.lock"
    await work(pipeline, tmp_path, lambda: "complete verdict" in pipeline.diary and lock.exists())


@pytest.mark.parametrize("name", ["look_after", "housekeep"])
async def test_trouble_with_one_row_does_not_stop_the_keeping_of_the_house(tmp_path: Path, name: str) -> None:
    pipeline = FakePipeline(**{name: ValueError("a row that cannot be read")})
    await work(pipeline, tmp_path, lambda: pipeline.diary.count(name) >= 2)


async def test_a_loop_that_breaks_ends_the_worker_loudly(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pipeline = FakePipeline(report=KeyError("a fault of ours"))
    with pytest.raises(KeyError):
        await work(pipeline, tmp_path, lambda: False)
    assert pipeline.diary[-1] == "leave"
    (told,) = [entry for entry in caplog.records if entry.levelname == "ERROR"]
    assert told.exc_info
    assert told.exc_info[0] is KeyError


async def test_a_child_may_take_longer_to_start_than_a_short_lease_lasts(tmp_path: Path) -> None:
    """Its step is spoken for meanwhile. To kill it and start another costs a host that is busy already the same time again."""
    given: list[float] = []

    class Noted(Children):
        def __init__(self, spare: int, environment: Mapping[str, str], patience: float, nice: int = 0) -> None:
            given.append(patience)
            super().__init__(spare, environment, patience, nice)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attempting, "Children", Noted)
        pipeline = FakePipeline()
        pipeline.lease = 1.0
        await work(pipeline, tmp_path, lambda: "claim" in pipeline.diary)
    assert set(given) == {attempting.STARTING}
    assert FakePipeline.lease < attempting.STARTING


async def test_after_a_sleep_of_the_machine_the_others_may_speak_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    pipeline = FakePipeline()
    await work(pipeline, tmp_path, lambda: "look_after" in pipeline.diary, clock)
    awake = FakePipeline()
    reported = awake.report

    def report(worker: str, presence: Presence) -> Heard:  # the machine sleeps for an hour within the second round
        if awake.diary.count("report") == 2:
            clock.advance(3600)
        return reported(worker, presence).model_copy(update={"now": clock.now()})

    monkeypatch.setattr(awake, "report", report)
    await work(awake, tmp_path, lambda: awake.diary.count("look_after") >= 2, clock)
    said = [entry for entry in awake.diary if entry in ("report", "look_after")]
    assert said[:6] == ["report", "report", "look_after", "report", "report", "look_after"]


class Gone(FakePipeline):
    """A database that vanished: after the claim nothing is answered, and nothing refused either."""

    def __init__(self, *jobs: Job) -> None:
        super().__init__(*jobs)
        self.over = threading.Event()

    def _note(self, name: str, said: str = "") -> None:
        super()._note(name, said)
        if name in ("complete", "release", "leave"):
            self.over.wait(60)
            raise DatabaseUnavailable("gone")


@pytest.mark.parametrize("kind", [StepKind.VERDICT, StepKind.CHECKSUM])
async def test_a_worker_ends_in_time_though_the_catalog_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: StepKind
) -> None:
    monkeypatch.setattr(module, "LAST_WORDS", 0.05)
    monkeypatch.setattr(attempting, "GIVE_BACK", 0.05)
    pipeline = Gone(job(kind))
    try:
        await work(pipeline, tmp_path, lambda: {"complete verdict", "release checksum released"} & set(pipeline.diary))
    finally:
        pipeline.over.set()  # threads that wait for it


async def test_an_operators_drain_empties_the_worker_and_it_stays(tmp_path: Path) -> None:
    pipeline = FakePipeline(job(StepKind.VERDICT))
    pipeline.wanted = "drain"
    await work(pipeline, tmp_path, lambda: pipeline.diary.count("report draining") >= 20)
    claims = pipeline.diary[pipeline.diary.index("report draining") :].count("claim")
    assert claims <= 1  # one may have been under way
    # When it may work again, then it does
    again = FakePipeline(job(StepKind.VERDICT))
    again.wanted = "cordon"
    reported = again.report

    def report(worker: str, presence: Presence) -> Heard:
        again.wanted = "work" if again.diary.count("report cordoned") >= 2 else "cordon"
        return reported(worker, presence)

    again.report = report  # type: ignore[method-assign]
    await work(again, tmp_path, lambda: "complete verdict" in again.diary)


async def test_a_worker_tells_the_slots_of_its_heavy_steps(tmp_path: Path) -> None:
    """With the light ones among them, a full worker would look as if it had some free, and bulk would never make room."""
    pipeline = FakePipeline()
    await work(pipeline, tmp_path, lambda: pipeline.slots, pools=tuple(Pool))
    assert pipeline.slots == {1}


async def test_a_ring_and_a_cancellation_at_once_do_not_lose_the_cancellation() -> None:
    for turns in range(6):
        bell = MemoryDoorbell()
        task = asyncio.create_task(bell.wait(60))
        await asyncio.sleep(0)
        bell.ring((Pool.IO,))
        for _ in range(turns % 3):
            await asyncio.sleep(0)
        task.cancel()
        ended, _ = await asyncio.wait([task], timeout=5)
        assert ended
        if turns % 3 < 2:
            assert task.cancelled()
