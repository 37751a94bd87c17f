"""One attempt, with a child and a catalog that are told what to say."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from rushes.clock import ManualClock
from rushes.engine.job import Job, Limits, ToolSettings
from rushes.errors import Blame
from rushes.facts import SourceRef
from rushes.model import ChecksumResult
from rushes.settings import load_policy, load_profile
from rushes.states import StepKind
from rushes.workers.attempt import Attempt
from rushes.workers.beats import Lost, Pulse
from rushes.workers.order import Done, Failed, Order, Progress

DONE = Done(result=ChecksumResult(sha256="x"), cpu_seconds=1.0)
SILENCE = object()


class FakeChild:
    """Says what it was given, one message at a time; after the last it is silent."""

    def __init__(self, says: Iterable[object], memory: int = 0) -> None:
        self._says = list(says)
        self._memory = memory
        self.killed = False
        self.hungry = 0
        """How often it is found to wait for a processor."""

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

    def usage(self) -> tuple[int, float]:
        return self._memory, 7.0

    def starves(self) -> bool:
        self.hungry -= 1
        return self.hungry >= 0

    async def kill(self) -> None:
        self.killed = True


class HastyClock(ManualClock):
    """Four seconds pass between two looks at it."""

    def monotonic(self) -> float:
        self.advance(4)
        return super().monotonic()


def a_job(kind: StepKind = StepKind.CHECKSUM) -> Job:
    return Job(
        step_id="s", key=kind.value, kind=kind, asset="a", tenant="t", fence=1, recipe="r",
        source=SourceRef(key="k", size=1), profile=load_profile("fast"), policy=load_policy("development"),
    )  # fmt: skip


def attempt(
    child: FakeChild, pulse: Pulse | None = None, limits: Limits | None = None, clock: ManualClock | None = None
) -> Attempt:
    pulse = pulse or Pulse(a_job(), 0.0)
    tools = ToolSettings(limits=limits or Limits())
    order = Order(job=pulse.job, scratch=Path("scratch"), storage="file:///x", tools=tools)
    return Attempt(child, order, pulse, clock)  # type: ignore[arg-type] # they say the same words


async def test_what_the_child_says_last_is_the_end_and_the_child_stays() -> None:
    child = FakeChild([Progress(fraction=0.5), DONE])
    assert await attempt(child).run() == DONE
    assert not child.killed


async def test_what_the_child_has_done_is_told_on() -> None:
    pulse = Pulse(a_job(), 0.0)
    child = FakeChild([Progress(fraction=0.5), Progress(fraction=0.4), DONE])
    await attempt(child, pulse, clock=HastyClock()).run()
    assert (pulse.progress, pulse.cpu_seconds) == (0.5, 7.0)


@pytest.mark.parametrize("why", list(Lost))
async def test_the_word_to_stop_kills_the_child(why: Lost) -> None:
    child, pulse = FakeChild([Progress(fraction=0.1)]), Pulse(a_job(), 0.0)
    task = asyncio.create_task(attempt(child, pulse).run())
    await asyncio.wait([task], timeout=0.03)
    pulse.stop(why)
    pulse.stop(Lost.RELEASED)  # the first word counts
    assert await task is why
    assert child.killed


async def test_an_attempt_that_was_told_before_it_began_is_none() -> None:
    child, pulse = FakeChild([]), Pulse(a_job(), 0.0)
    pulse.stop(Lost.PREEMPTED)
    assert await attempt(child, pulse).run() is Lost.PREEMPTED
    assert child.killed


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
    child = FakeChild([Progress(fraction=0.1)], memory=2)
    ended = await attempt(child, limits=Limits(memory=1), clock=HastyClock()).run()
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


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rushes.workers.attempt.LOOK_EVERY", 0.01)


@pytest.mark.usefixtures("impatient")
async def test_a_child_without_a_sign_of_life_is_stopped_and_the_step_tried_again() -> None:
    child = FakeChild([Progress(fraction=0.5)])
    ended = await attempt(child, limits=Limits(stall=30.0), clock=HastyClock()).run()
    assert isinstance(ended, Failed)
    assert (ended.reason.code, ended.blame) == ("stalled", Blame.TRANSIENT)
    assert child.killed


@pytest.mark.usefixtures("impatient")
async def test_a_child_that_gets_no_processor_is_not_stuck() -> None:
    child = FakeChild([Progress(fraction=0.5)])
    child.hungry = 2
    ended = await attempt(child, limits=Limits(stall=30.0), clock=(clock := HastyClock(0.0))).run()
    assert isinstance(ended, Failed)  # at last it neither speaks nor wants to run
    assert clock.now() > 3 * 30.0


@pytest.mark.usefixtures("impatient")
async def test_a_child_that_has_a_processor_and_says_nothing_is_stuck() -> None:
    """In native code without an end, for example: it wants to run for ever."""

    class Spinning(FakeChild):
        used = 0.0

        def usage(self) -> tuple[int, float]:
            self.used += 4.0
            return 0, self.used

    child = Spinning([Progress(fraction=0.5)])
    child.hungry = 9
    ended = await attempt(child, limits=Limits(stall=30.0), clock=(clock := HastyClock(0.0))).run()
    assert isinstance(ended, Failed)
    assert ended.reason.code == "stalled"
    assert clock.now() < 2 * 30.0
