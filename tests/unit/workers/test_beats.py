"""The signs of life of all steps of a worker, to a catalog that is told what to answer."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from itertools import pairwise

import pytest

from rushes.catalog.database import LOCKED, DatabaseUnavailable
from rushes.catalog.pipeline import Answer
from rushes.catalog.records import Beat
from rushes.clock import ManualClock
from rushes.engine.job import Job
from rushes.engine.specs import FAST, NORMAL
from rushes.facts import SourceRef
from rushes.settings import load_policy, load_profile
from rushes.states import StepKind
from rushes.workers import beats
from rushes.workers.beats import PATIENCE, Beats, Lost


class FakePipeline:
    lease = 30.0

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.said: list[list[str]] = []
        self.away = False

    def renew_all(self, beats: list[Beat]) -> dict[str, Answer]:
        if self.away:
            raise DatabaseUnavailable("away")
        self.said.append([beat.step for beat in beats])
        return {beat.step: self.answers.get(beat.step, Answer.OK) for beat in beats}


def a_job(name: str, kind: StepKind = StepKind.ENCODE, priority: int = NORMAL) -> Job:
    return Job(
        step_id=name, key=name, kind=kind, asset="a", tenant="t", fence=1, recipe="r", priority=priority,
        source=SourceRef(key="k", size=1), profile=load_profile("fast"), policy=load_policy("development"),
    )  # fmt: skip


class Setting:
    def __init__(self) -> None:
        self.pipeline, self.clock, self.drained = FakePipeline(), ManualClock(), 0
        self.beats = Beats(self.pipeline, 5.0, self.clock, self._drain)  # type: ignore[arg-type] # it says the same words

    def _drain(self) -> None:
        self.drained += 1


async def test_all_speak_in_one_call_and_those_that_somebody_waits_for_more_often() -> None:
    found = Setting()
    with ExitStack() as running:
        for job in (a_job("a"), a_job("b"), a_job("c", priority=FAST)):
            running.enter_context(found.beats.of(job))
        await found.beats.speak()  # nobody is a second old yet
        found.clock.advance(1.5)
        await found.beats.speak(all_of_them=False)
        await found.beats.speak()
    await found.beats.speak()
    assert found.pipeline.said == [["c"], ["a", "b", "c"]]


async def test_a_slow_catalog_is_asked_no_more_rarely_than_the_lease_can_bear(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answer takes three seconds, and a step that somebody waits for asks all the time."""
    monkeypatch.setattr(beats, "TICK", 0.001)
    found, enough = Setting(), asyncio.Event()
    at: list[float] = []

    def renew_all(said: list[Beat]) -> dict[str, Answer]:
        if "b" in {beat.step for beat in said}:
            at.append(found.clock.monotonic())
        found.clock.advance(3)
        if len(at) > 3:
            loop.call_soon_threadsafe(enough.set)
        return {beat.step: Answer.OK for beat in said}

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(found.pipeline, "renew_all", renew_all)
    with found.beats.of(a_job("a", priority=FAST)), found.beats.of(a_job("b")):
        found.clock.advance(1)
        task = asyncio.create_task(found.beats.run())
        await asyncio.wait_for(enough.wait(), 5)
        task.cancel()
    assert max(later - earlier for earlier, later in pairwise(at)) <= 5.0 + 3.0


@pytest.mark.parametrize("trouble", [DatabaseUnavailable("held", LOCKED), IndexError("a word of a newer release")])
async def test_what_is_wrong_with_one_row_does_no_harm_to_the_others(
    monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    found = Setting()

    def renew_all(said: list[Beat]) -> dict[str, Answer]:
        if "bad" in {beat.step for beat in said}:
            raise trouble
        return FakePipeline.renew_all(found.pipeline, said)

    monkeypatch.setattr(found.pipeline, "renew_all", renew_all)
    with ExitStack() as running:
        pulses = [running.enter_context(found.beats.of(a_job(name))) for name in ("a", "bad", "c")]
        for _ in range(20):
            found.clock.advance(PATIENCE * found.pipeline.lease / 16)
            await found.beats.speak()
    assert [pulse.lost for pulse in pulses] == [None, Lost.FENCED, None]


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        (Answer.OK, None),
        (Answer.CANCEL, Lost.CANCELLED),
        (Answer.FENCED, Lost.FENCED),
        (Answer.PREEMPT, Lost.PREEMPTED),
        (Answer.DRAIN, None),
    ],
)
async def test_the_answer_says_who_must_stop(answer: Answer, end: Lost | None) -> None:
    found = Setting()
    found.pipeline.answers["a"] = answer
    with found.beats.of(a_job("a")) as one, found.beats.of(a_job("b")) as other:
        found.clock.advance(5)
        await found.beats.speak()
        assert (one.lost, other.lost) == (end, None)
    assert found.drained == (answer is Answer.DRAIN)


@pytest.mark.parametrize(
    ("kind", "leases", "stops"),
    [
        (StepKind.PUBLISH, 0.9, False),
        (StepKind.PUBLISH, 1.1, True),
        (StepKind.CLEANUP, 1.1, True),
        (StepKind.ENCODE, PATIENCE - 0.1, False),
        (StepKind.ENCODE, PATIENCE + 0.1, True),
    ],
)
async def test_without_a_catalog_each_kind_goes_on_for_its_time(kind: StepKind, leases: float, stops: bool) -> None:
    found = Setting()
    with found.beats.of(a_job("a", kind)) as pulse:
        found.clock.advance(60)
        await found.beats.speak()  # the last time it was heard
        found.pipeline.away = True
        found.clock.advance(leases * found.pipeline.lease)
        await found.beats.speak()
        assert pulse.lost is (Lost.FENCED if stops else None)


async def test_who_was_not_heard_speaks_at_the_next_tick() -> None:
    """When the catalog is back all leases have ended, and who looks after the others waits for one round only."""
    found = Setting()
    with found.beats.of(a_job("a")):
        found.clock.advance(1.5)
        found.pipeline.away = True
        await found.beats.speak()
        found.pipeline.away = False
        await found.beats.speak(all_of_them=False)
        await found.beats.speak(all_of_them=False)
    assert found.pipeline.said == [["a"]]


async def test_a_new_attempt_at_the_same_step_goes_on_speaking_when_the_old_one_ends() -> None:
    found, old = Setting(), ExitStack()
    old.enter_context(found.beats.of(a_job("a")))
    with found.beats.of(a_job("a")):
        old.close()
        found.clock.advance(5)
        await found.beats.speak()
    assert found.pipeline.said == [["a"]]
