"""One attempt, with a child and a catalog that are told what to say."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.pipeline import Answer
from rushes.clock import ManualClock
from rushes.engine.job import Job, Limits, ToolSettings
from rushes.errors import Blame
from rushes.facts import SourceRef
from rushes.model import ChecksumResult
from rushes.settings import load_policy, load_profile
from rushes.states import StepKind
from rushes.workers.attempt import Attempt, Lost
from rushes.workers.order import Done, Failed, Order, Progress

DONE = Done(result=ChecksumResult(sha256="x"), cpu_seconds=1.0)
SILENCE = object()


class FakeChild:
    """Says what it was given, one message at a time; after the last it is silent."""

    def __init__(self, says: Iterable[object], memory: int = 0) -> None:
        self._says = list(says)
        self._memory = memory
        self.killed = False

    async def give(self, order: Order) -> None:
        if self._says and isinstance(self._says[0], ConnectionError):
            raise self._says[0]

    async def hear(self) -> Any:
        message = self._says.pop(0) if self._says else SILENCE
        if message is SILENCE:
            await asyncio.Event().wait()
        if isinstance(message, Exception):
            raise message
        return message

    def memory(self) -> int:
        return self._memory

    async def kill(self) -> None:
        self.killed = True


class FakePipeline:
    lease = 30.0

    def __init__(self, *answers: Answer | Exception) -> None:
        self._answers = list(answers)
        self.progress: list[float] = []

    def renew(self, job: Job, progress: float) -> Answer:
        self.progress.append(progress)
        answer = self._answers.pop(0) if self._answers else Answer.OK
        if isinstance(answer, Exception):
            raise answer
        return answer


class HastyClock(ManualClock):
    """Four seconds pass between two looks at it."""

    def monotonic(self) -> float:
        self.advance(4)
        return super().monotonic()


def attempt(
    child: FakeChild,
    pipeline: FakePipeline | None = None,
    limits: Limits | None = None,
    kind: StepKind = StepKind.CHECKSUM,
    clock: ManualClock | None = None,
) -> Attempt:
    job = Job(
        step_id="s", key=kind.value, kind=kind, asset="a", tenant="t", fence=1, recipe="r",
        source=SourceRef(key="k", size=1), profile=load_profile("fast"), policy=load_policy("development"),
    )  # fmt: skip
    order = Order(job=job, scratch=Path("scratch"), storage="file:///x", tools=ToolSettings(limits=limits or Limits()))
    return Attempt(pipeline or FakePipeline(), child, order, 0.01, clock)  # type: ignore[arg-type] # they say the same words


async def test_what_the_child_says_last_is_the_end_and_the_child_stays() -> None:
    child = FakeChild([Progress(fraction=0.5), DONE])
    assert await attempt(child).run() == DONE
    assert not child.killed


async def test_a_child_that_says_nothing_is_still_reported_alive() -> None:
    pipeline = FakePipeline(Answer.OK, Answer.OK, Answer.FENCED)
    assert await attempt(FakeChild([Progress(fraction=0.5)]), pipeline).run() is Lost.FENCED
    assert pipeline.progress == [0.5] * 3


@pytest.mark.parametrize(("answer", "end"), [(Answer.CANCEL, Lost.CANCELLED), (Answer.FENCED, Lost.FENCED)])
async def test_a_heartbeat_that_says_stop_kills_the_child(answer: Answer, end: Lost) -> None:
    child = FakeChild([])
    assert await attempt(child, FakePipeline(answer)).run() is end
    assert child.killed


@pytest.mark.parametrize(
    ("kind", "away", "end"),
    [
        (StepKind.ENCODE, 30, Lost.CANCELLED),
        (StepKind.PUBLISH, 1, Lost.CANCELLED),
        (StepKind.PUBLISH, 30, Lost.FENCED),
        (StepKind.CLEANUP, 30, Lost.FENCED),
    ],
)
async def test_what_viewers_would_see_is_not_done_without_a_lease(kind: StepKind, away: int, end: Lost) -> None:
    child, pipeline = (
        FakeChild([Progress(fraction=0.0)] * 100),
        FakePipeline(*[DatabaseUnavailable("away")] * away, Answer.CANCEL),
    )
    assert await attempt(child, pipeline, kind=kind, clock=HastyClock()).run() is end
    assert child.killed


async def test_a_catalog_that_does_not_answer_stops_nothing() -> None:
    pipeline = FakePipeline(DatabaseUnavailable("locked"), DatabaseUnavailable("locked"), Answer.CANCEL)
    assert await attempt(FakeChild([]), pipeline).run() is Lost.CANCELLED


@pytest.mark.parametrize("says", [[None], [BrokenPipeError()], [ConnectionResetError()]])
async def test_a_child_that_is_gone_is_poison(says: list[object]) -> None:
    child = FakeChild(says)
    ended = await attempt(child).run()
    assert isinstance(ended, Failed)
    assert (ended.reason.code, ended.blame) == ("tool_killed", Blame.POISON)
    assert child.killed  # what it started may still be there


async def test_a_child_that_speaks_nonsense_is_killed_and_never_used_again() -> None:
    child = FakeChild([ValueError("no message of ours")])
    with pytest.raises(ValueError, match="no message"):
        await attempt(child).run()
    assert child.killed


async def test_too_much_memory_is_the_files_fault() -> None:
    child = FakeChild([], memory=2)
    ended = await attempt(child, limits=Limits(memory=1)).run()
    assert isinstance(ended, Failed)
    assert (ended.reason.code, ended.blame) == ("over_limit_memory", Blame.PERMANENT)
    assert child.killed


async def test_an_attempt_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rushes.workers.attempt.GRACE", 0.0)
    child = FakeChild([])
    ended = await attempt(child, limits=Limits(wall=0.05)).run()
    assert isinstance(ended, Failed)
    assert ended.reason.code == "over_limit_time"
    assert child.killed


async def test_a_cancelled_attempt_leaves_no_child() -> None:
    child = FakeChild([])
    task = asyncio.create_task(attempt(child).run())
    await asyncio.wait([task], timeout=0.03)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert child.killed


async def test_a_cancellation_is_not_lost_to_a_message_of_the_same_moment() -> None:
    # Given a child that reports progress without end, at every turn of the loop
    class Chatty(FakeChild):
        async def hear(self) -> Any:
            await asyncio.sleep(0)
            return Progress(fraction=0.1)

    for turns in range(12):
        child = Chatty([])
        task = asyncio.create_task(attempt(child).run())
        for _ in range(turns):
            await asyncio.sleep(0)
        # When it is cancelled once, at whatever turn
        task.cancel()
        ended, _ = await asyncio.wait([task], timeout=5)
        # Then it ends
        assert ended and task.cancelled()


async def test_a_child_without_a_sign_of_life_is_stopped_and_the_step_tried_again() -> None:
    child = FakeChild([Progress(fraction=0.5)])
    order = attempt(child, limits=Limits(stall=30.0))._order
    ended = await Attempt(FakePipeline(), child, order, 0.01, HastyClock()).run()  # type: ignore[arg-type]
    assert isinstance(ended, Failed)
    assert (ended.reason.code, ended.blame) == ("stalled", Blame.TRANSIENT)
    assert child.killed
