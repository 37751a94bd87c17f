"""Which bulk steps make room."""

from __future__ import annotations

import pytest

from rushes.engine.classes import Class
from rushes.engine.preempt import MOST_TIMES, Running, chosen, share_of
from rushes.states import Pool


def bulk(step: str, spent: float = 1.0, progress: float = 0.1, preempted: int = 0, told: bool = False) -> Running:
    return Running(step, Class.BULK, spent, progress, preempted, told)


ENRICH = Running("enrich", Class.ENRICH, 0.0, 0.0, 0)


@pytest.mark.parametrize(
    ("urgent", "free", "running", "going"),
    [
        (0, 0, [bulk("a")], []),
        (1, 1, [bulk("a")], []),  # there is a slot already
        (1, 0, [bulk("a", 5.0), bulk("b", 2.0)], ["b"]),  # which loses least
        (9, 0, [bulk("a", 5.0), bulk("b", 2.0), ENRICH], ["b", "a"]),
        (1, 0, [bulk("a", told=True), bulk("b")], []),  # one is on its way
        (2, 0, [bulk("a", told=True), bulk("b")], ["b"]),
        (1, 0, [bulk("a", preempted=MOST_TIMES)], []),  # it made room often enough
        (1, 0, [bulk("a", progress=0.9)], []),  # it is soon done
        (1, 0, [ENRICH], []),
    ],
)
def test_who_makes_room(urgent: int, free: int, running: list[Running], going: list[str]) -> None:
    assert chosen(urgent, free, running) == going


@pytest.mark.parametrize(
    ("pool", "own", "shared", "slots"),
    [
        (Pool.VIDEO, {}, {"video", "audio", "speech"}, 6),
        (Pool.VIDEO, {"video": 4}, {"video"}, 4),
        (Pool.AUDIO, {"video": 4}, {"audio", "speech"}, 2),
        (Pool.AUDIO, {"video": 4, "speech": 1}, {"audio"}, 1),
        (Pool.VIDEO, {"image": 2}, {"video", "audio", "speech"}, 6),  # it serves no such pool
        (Pool.VIDEO, {"pull": 9}, {"video", "audio", "speech"}, 6),  # those are counted by themselves
    ],
)
def test_whose_steps_take_the_slots_of_a_pool(pool: Pool, own: dict[str, int], shared: set[str], slots: int) -> None:
    found = share_of(pool, ("io", "video", "audio", "speech", "pull"), 6, own)
    assert (found.pools, found.slots) == (shared, slots)
