"""A slow host stands aside, but never as the last one, and not for ever."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rushes.catalog.workforce import Colleague, Heard, Presence
from rushes.clock import ManualClock
from rushes.engine.job import ToolSettings
from rushes.states import Pool
from rushes.workers import upkeep
from rushes.workers.doorbell import MemoryDoorbell
from rushes.workers.plant import Plant
from rushes.workers.standing import Standing
from rushes.workers.upkeep import PROBATION, Upkeep


class Enough(BaseException):
    """The rounds that were wanted are over."""


class Fleet:
    """A worker of the pool video at four tenths of the others' speed; rounds of `look_after` are counted."""

    def __init__(self, tmp_path: Path) -> None:
        self.clock, self.standing, self.speed = ManualClock(), Standing("w"), 0.4
        self.others = [Colleague(pools=("video",), speed=1.0, state="working")] * 2
        self._each_round: Callable[[], None] = lambda: None
        plant = Plant(
            "w", self, MemoryDoorbell(), tmp_path, f"file://{tmp_path}", ToolSettings(), clock=self.clock, slow_host=0.5  # type: ignore[arg-type] # it answers the same calls
        )  # fmt: skip
        self._upkeep = Upkeep(plant, self.standing, self._presence, self._forget)

    def _presence(self) -> Presence:
        return Presence(pools=(Pool.VIDEO,), slots=1, speed=self.speed)

    def _forget(self) -> None:
        self.speed = 0.0

    def report(self, *_: object) -> Heard:
        return Heard(now=self.clock.now())

    def look_after(self, *_: object) -> dict[str, int]:
        return {}

    def housekeep(self, *_: object) -> int:
        self._each_round()
        return 0

    def peers(self, *_: object) -> list[Colleague]:
        return self.others

    async def later(self, seconds: float = 0.0) -> str:
        """Its state after another comparison."""
        self.clock.advance(seconds)
        left = iter(range(1))

        def each() -> None:
            if next(left, None) is None:
                raise Enough

        self._each_round = each
        with pytest.raises(Enough):
            await self._upkeep.run()
        return self.standing.state


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    monkeypatch.setattr(upkeep, "REPORT_EVERY", 0.001)
    monkeypatch.setattr(upkeep, "HOUSEKEEP_ROUNDS", 1)
    return Fleet(tmp_path)


async def test_a_slow_host_stands_aside_for_a_time_and_is_measured_anew(fleet: Fleet) -> None:
    assert await fleet.later() == "cordoned"
    assert fleet.standing.reason.startswith("slow_host")
    assert await fleet.later(PROBATION - 1) == "cordoned"
    assert await fleet.later(2) == "working"
    assert await fleet.later() == "working"  # nobody knows yet how fast it is now
    fleet.speed = 0.3
    assert await fleet.later() == "cordoned"


async def test_it_takes_work_again_when_nobody_faster_is_left(fleet: Fleet) -> None:
    assert await fleet.later() == "cordoned"
    fleet.others = [Colleague(pools=("video",), speed=1.0, state="draining")] * 2
    assert await fleet.later() == "working"
    fleet.others = [Colleague(pools=("video",), speed=1.0, state="working")] * 2
    assert await fleet.later() == "cordoned"
