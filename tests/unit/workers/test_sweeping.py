"""What killed writers left in the store is ended by one worker of the fleet, now and then, and harms nobody's work."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.telling import Repaired
from rushes.engine.job import ToolSettings
from rushes.storage.local import LocalStore
from rushes.storage.store import StoreError
from rushes.workers import sweeping
from rushes.workers.doorbell import MemoryDoorbell
from rushes.workers.plant import Plant
from rushes.workers.sweeping import Sweeping


class Enough(BaseException):
    """The rounds that were wanted are over."""


class Offices:
    """Answers who may sweep, round by round."""

    def __init__(self, *answers: bool | Exception) -> None:
        self._answers = iter(answers)

    def may_sweep(self, _: str) -> bool:
        answer = next(self._answers, None)
        if answer is None:
            raise Enough
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    monkeypatch.setattr(sweeping, "LOOK_EVERY", 0.0)

    async def run(*answers: bool | Exception) -> list[object]:
        told: list[object] = []
        plant = Plant(
            "w", Offices(*answers), MemoryDoorbell(), tmp_path, f"file://{tmp_path}", ToolSettings(), telemetry=told.append  # type: ignore[arg-type] # they answer the same calls
        )  # fmt: skip
        with pytest.raises(Enough):
            await Sweeping(plant).run()
        return told

    return run


def left_behind(tmp_path: Path) -> Path:
    LocalStore(tmp_path)
    path = tmp_path / ".rushes" / "tmp" / "left"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"half")
    os.utime(path, (0, 0))
    return path


async def test_who_has_the_office_sweeps_and_tells_of_it(tmp_path: Path, run: Callable[..., object]) -> None:
    left = left_behind(tmp_path)
    assert await run(False) == []  # type: ignore[misc]
    assert left.exists()
    assert await run(True, True) == [Repaired("left_behind", 1)]  # type: ignore[misc]
    assert not left.exists()


@pytest.mark.parametrize("wrong", [StoreError("away"), KeyError("away"), OSError("away")])
async def test_neither_a_store_nor_a_database_that_is_away_ends_the_worker(
    tmp_path: Path,
    run: Callable[..., object],
    wrong: Exception,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nor a store whose answers are not what we know: it is a janitor's round, and hours until the next."""

    def away(_: object) -> int:
        raise wrong

    caplog.set_level(logging.WARNING)
    left = left_behind(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "sweep", away)
        assert await run(DatabaseUnavailable("away"), True) == []  # type: ignore[misc]
    assert "away" in caplog.text
    assert await run(True) == [Repaired("left_behind", 1)]  # type: ignore[misc]
    assert not left.exists()
