from __future__ import annotations

from pathlib import Path

import pytest

from rushes.states import Pool
from rushes.workers.doorbell import LocalDoorbell, LocalListener, MemoryDoorbell


async def test_a_ring_wakes_and_silence_does_not(tmp_path: Path) -> None:
    listener = LocalListener(tmp_path)
    assert not await listener.wait(0.01)
    LocalDoorbell(tmp_path).ring([Pool.VIDEO])
    assert await listener.wait(5)
    listener.close()


async def test_a_thousand_rings_before_anybody_listens_are_one(tmp_path: Path) -> None:
    listener = LocalListener(tmp_path)
    bell = LocalDoorbell(tmp_path)
    for _ in range(1000):
        bell.ring([Pool.IO])
    assert await listener.wait(5)
    listener.close()


async def test_ringing_where_nobody_is_does_no_harm(tmp_path: Path) -> None:
    LocalDoorbell(tmp_path / "nobody").ring([Pool.IO])
    listener = LocalListener(tmp_path)
    assert not await listener.wait(0.01)
    listener.close()


async def test_one_worker_listens_for_a_data_directory(tmp_path: Path) -> None:
    listener = LocalListener(tmp_path)
    with pytest.raises(OSError):
        LocalListener(tmp_path)
    listener.close()


async def test_the_bell_within_one_loop() -> None:
    bell = MemoryDoorbell()
    assert not await bell.wait(0.01)
    bell.ring([Pool.IO])
    assert await bell.wait(5)
