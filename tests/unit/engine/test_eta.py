"""When an asset is done, and how sure that is."""

from __future__ import annotations

import random

import pytest

from rushes.engine.cost import Estimate
from rushes.engine.eta import Task, eta, left, longest, ways


def task(key: str, *after: str, cpu: float = 10.0, spread: float = 0.0, n: int = 50, **more: float) -> Task:
    return Task(key, "video", after, Estimate(cpu=cpu, wall=cpu, spread=spread, n=n), **more)


def test_the_longest_way_counts() -> None:
    tasks = [task("a"), task("b", cpu=30), task("c", "a", "b", cpu=5), task("d", cpu=1)]
    way = longest(tasks, ["c"])
    assert (way.seconds, way.keys) == (35.0, ("b", "c"))
    assert longest(tasks, []).keys == ("b", "c")
    assert longest([], []).keys == ()


def test_turns_and_times_are_waited_for() -> None:
    tasks = [task("a", begins_in=60.0), task("b", "a", turn_in=20.0), task("c", left=0.25)]
    found = ways(tasks)
    assert (found["a"].seconds, found["b"].seconds, found["c"].seconds) == (70.0, 100.0, 2.5)


def test_no_sooner_than_the_pool_gets_through() -> None:
    tasks = [task(f"encode.{number}") for number in range(20)]
    assert eta(tasks, [], {"video": 4.0}).seconds == 50.0
    assert eta(tasks, [], {"video": 100.0}).seconds == 10.0


def test_a_ring_comes_to_an_end() -> None:
    assert longest([task("a", "b"), task("b", "a")], ["a", "b"]).seconds == 20.0


@pytest.mark.parametrize(
    ("spread", "n", "word"), [(0.5, 50, "high"), (4.0, 50, "medium"), (9.0, 50, "low"), (0.5, 2, "low")]
)
def test_confidence(spread: float, n: int, word: str) -> None:
    found = eta([task("a", spread=spread, n=n)], [], {})
    assert found.confidence == word
    assert found.earliest <= found.seconds <= found.latest


def test_four_of_five_come_in_between() -> None:
    """Steps whose errors are normal, with the spread they are said to have."""
    chance = random.Random(11)
    tasks = [task(str(number), *([str(number - 1)] if number else []), cpu=100.0, spread=8.0) for number in range(9)]
    found = eta(tasks, [], {})
    ends = [sum(chance.gauss(100.0, 8.0 * 1.2533) for _ in tasks) for _ in range(2000)]
    inside = sum(found.earliest <= end <= found.latest for end in ends) / len(ends)
    assert 0.76 < inside < 0.84


def test_what_is_not_wanted_takes_no_time_of_a_pool() -> None:
    tasks = [task("encode"), task("package", "encode", cpu=1), *(task(f"extra.{number}") for number in range(9))]
    assert eta(tasks, ["package"], {"video": 1.0}).seconds == 11.0
    assert eta(tasks, [], {"video": 1.0}).seconds == 101.0


def test_what_runs_beside_others_is_less_sure() -> None:
    alone, crowded = (eta([task("a", spread=0.5, crowded=share)], [], {}) for share in (0.0, 0.5))
    assert (alone.confidence, crowded.confidence) == ("high", "medium")
    assert crowded.latest - crowded.earliest > alone.latest - alone.earliest


def test_a_short_step_that_is_new_makes_nobody_unsure() -> None:
    steps = [task("encode", spread=0.5), task("verdict", "encode", cpu=0.1, n=0)]
    assert eta(steps, [], {}).confidence == "high"


@pytest.mark.parametrize(
    ("progress", "elapsed", "wall", "share"),
    [
        (0.0, 0.0, 10.0, 1.0),
        (0.0, 1.0, 4.0, 0.75),  # too short to have said anything: by the clock
        (0.0, 3.9, 4.0, 0.25),  # nearly done, it should be
        (0.0, 9.0, 4.0, 0.25),  # longer than it should
        (0.4, 9.0, 4.0, 0.6),  # and it says why
        (0.3, 50.0, 100.0, 0.65),  # behind the clock, which it may have caught up with by a beat's length
        (0.8, 50.0, 100.0, 0.2),  # ahead of it
        (0.55, 0.0, 100.0, 0.45),  # nobody knows since when
        (1.0, 3.0, 100.0, 0.0),
    ],
)
def test_what_is_left_of_a_step_that_runs(progress: float, elapsed: float, wall: float, share: float) -> None:
    assert left(progress, elapsed, wall) == pytest.approx(share)
