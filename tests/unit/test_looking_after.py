"""The rounds of a process that does no steps."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

import pytest

from rushes.catalog.database import DatabaseUnavailable
from rushes.clock import ManualClock
from rushes.looking_after import keep_looking_after

NEXT = 0.001


async def rounds(action: Callable[[int], dict[str, int]], clock: ManualClock, most: int) -> int:
    """Let it go round until `action` was called `most` times; it is given the number of the call."""
    enough, calls = asyncio.Event(), 0
    loop = asyncio.get_running_loop()

    def look_after(holder: str) -> dict[str, int]:
        nonlocal calls
        assert holder
        calls += 1
        try:
            return action(calls)
        finally:
            if calls >= most:
                loop.call_soon_threadsafe(enough.set)

    task = asyncio.create_task(keep_looking_after(lambda: look_after, clock, NEXT))
    async with asyncio.timeout(10):
        await enough.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return calls


async def test_it_goes_on_whatever_a_round_meets() -> None:
    def action(call: int) -> dict[str, int]:
        if call == 1:
            raise DatabaseUnavailable("away")
        if call == 2:
            raise ValueError("one row")
        return {"lease_expired": 1}

    assert await rounds(action, ManualClock(), 4) >= 4


class Counting(ManualClock):
    """Counts how often it is asked: once in each round."""

    asked = 0

    def now(self) -> float:
        self.asked += 1
        return super().now()


async def test_who_slept_lets_the_others_speak_first() -> None:
    clock, seen = Counting(), []

    def action(call: int) -> dict[str, int]:
        seen.append(clock.asked)
        if call == 2:
            clock.advance(600)  # the machine slept
        return {}

    await rounds(action, clock, 3)
    assert seen[1] - seen[0] == 1
    assert seen[2] - seen[1] == 2  # a round was left out


@pytest.mark.parametrize(
    ("found", "level", "text"),
    [
        ({"delays": 2}, logging.INFO, "begun again, their time had come: delays 2"),
        ({"delays": 1, "lease_expired": 1}, logging.WARNING, "put right: delays 1, lease_expired 1"),
    ],
)
async def test_what_is_normal_is_no_warning(
    caplog: pytest.LogCaptureFixture, found: dict[str, int], level: int, text: str
) -> None:
    with caplog.at_level(logging.INFO, "rushes.reconciler"):
        await rounds(lambda _: found, ManualClock(), 2)
    assert (level, text) in [(record.levelno, record.getMessage()) for record in caplog.records]
