"""A slow host stands aside, but never as the last one, and not for ever."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rushes.catalog.telling import Folded
from rushes.catalog.workforce import Colleague, Heard, Presence
from rushes.clock import ManualClock
from rushes.engine.job import ToolSettings
from rushes.states import Pool
from rushes.workers import upkeep
from rushes.workers.doorbell import MemoryDoorbell
from rushes.workers.plant import Plant
from rushes.workers.standing import COOLING, Standing
from rushes.workers.upkeep import PROBATION, Upkeep


class Enough(BaseException):
    """The rounds that were wanted are over."""


class Fleet:
    """A worker of the pool video at four tenths of the others' speed; rounds of `look_after` are counted."""

    def __init__(self, tmp_path: Path) -> None:
        self.clock, self.standing, self.speed = ManualClock(), Standing("w"), 0.4
        self.wanted, self.asked_at = "", 0.0
        self.folded: list[float] = []
        self.others = [Colleague(pools=("video",), speed=1.0, state="working")] * 2
        self._each_round: Callable[[], None] = lambda: None
        self.plant = Plant(
            "w", self, MemoryDoorbell(), tmp_path, f"file://{tmp_path}", ToolSettings(), clock=self.clock, slow_host=0.5  # type: ignore[arg-type] # it answers the same calls
        )  # fmt: skip
        self._upkeep = Upkeep(self.plant, self.standing, self._presence, self._forget)

    def keep_history(self, days: float) -> None:
        plant = replace(self.plant, keep_history=days)
        self._upkeep = Upkeep(plant, self.standing, self._presence, self._forget)

    def _presence(self) -> Presence:
        return Presence(pools=(Pool.VIDEO,), slots=1, speed=self.speed)

    def _forget(self) -> None:
        self.speed = 0.0

    def report(self, *_: object) -> Heard:
        now = self.clock.now()
        return Heard(now=now, wanted=self.wanted, since=now - self.asked_at)

    def look_after(self, *_: object) -> dict[str, int]:
        return {}

    def housekeep(self, *_: object) -> int:
        self._each_round()
        return 0

    def fold_history(self, _: str, days: float) -> Folded:
        self.folded.append(days)
        return Folded(attempts=7)

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


async def test_one_word_of_an_operator_has_it_work_and_be_measured_anew(fleet: Fleet) -> None:
    assert await fleet.later() == "cordoned"
    fleet.wanted, fleet.asked_at = "work", fleet.clock.now()
    assert await fleet.later(1) == "working"
    assert fleet.speed == 0.0  # what it was before counts no longer
    fleet.speed = 0.4  # it is as slow as ever
    assert await fleet.later(COOLING - 60) == "working"
    assert fleet.speed == 0.4  # and is not measured at each report
    assert await fleet.later(61) == "cordoned"
    assert fleet.standing.reason.startswith("slow_host")
    fleet.asked_at = fleet.clock.now()
    assert await fleet.later(1) == "working"


async def test_what_an_operator_took_out_for_itself_comes_back_by_one_word_though_it_is_slow(fleet: Fleet) -> None:
    fleet.wanted, fleet.asked_at = "cordon", fleet.clock.now()
    assert await fleet.later() == "cordoned"
    fleet.wanted, fleet.asked_at = "work", fleet.clock.now()
    assert await fleet.later() == "working"


async def test_history_is_folded_where_somebody_said_after_how_many_days(
    fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await fleet.later()
    assert fleet.folded == []
    fleet.keep_history(30.0)
    await fleet.later()
    assert fleet.folded == [30.0]
    assert "history folded away: 7 attempts, 0 steps, 0 bundles" in caplog.text
