"""What steps are reckoned to take, and what is learned from what they took."""

from __future__ import annotations

import random

import pytest

from rushes.engine.cost import LEAST, SEEN_ENOUGH, Learned, Seen, after, classes_of, estimate, known, lessons, weighed
from rushes.engine.specs import step
from rushes.states import StepKind

PARAMS = {"ladder": {"rungs": [{"codec": "av1", "preset": "8", "width": 1920, "height": 1080}]}}
PORTRAIT = {"ladder": {"rungs": [{"codec": "av1", "preset": "8", "width": 1080, "height": 1920}]}}


def taught(*ratios: float, planned: float = 10.0, params: dict = PARAMS, wall: float = 5.0) -> dict[str, Learned]:
    """What a table holds after attempts that took so many times what was planned."""
    learned: dict[str, Learned] = {}
    for ratio in ratios:
        seen = Seen(StepKind.ENCODE, params, planned, planned * ratio, wall)
        for key, lesson in lessons(seen).items():
            learned[key] = after(learned.get(key, Learned()), lesson)
    return learned


def test_without_history_the_plan_counts_and_is_not_trusted() -> None:
    found = estimate(StepKind.ENCODE, PARAMS, {}, 10.0)
    assert (found.cpu, found.wall, found.spread, found.n) == (10.0, 10.0, 10.0, 0)


def test_history_of_its_class_corrects_the_plan() -> None:
    found = estimate(StepKind.ENCODE, PARAMS, taught(*[2.0] * 10), 10.0)
    assert found.cpu == pytest.approx(20.0)
    assert found.wall == pytest.approx(5.0)  # four cores at a time
    assert found.spread == pytest.approx(0.0)
    assert found.n == 10


def test_too_few_attempts_teach_nothing() -> None:
    assert estimate(StepKind.ENCODE, PARAMS, taught(*[2.0] * (SEEN_ENOUGH - 1)), 10.0).n == 0


def test_a_class_that_is_not_known_goes_by_a_wider_one() -> None:
    learned = taught(*[3.0] * 10)
    other = {"ladder": {"rungs": [{"codec": "av1", "preset": "8", "width": 640, "height": 360}]}}
    assert estimate(StepKind.ENCODE, other, learned, 1.0).cpu == pytest.approx(3.0)
    assert estimate(StepKind.AUDIO, {}, learned, 1.0).cpu == 1.0


def test_classes_go_from_narrow_to_wide() -> None:
    narrow, wide, widest = classes_of(StepKind.ENCODE, PARAMS, 10.0)
    assert (narrow, wide, widest) == ("encode/av1/8/1080x1/c4", "encode/av1/8", "encode")
    assert classes_of(StepKind.ENCODE, PORTRAIT, 10.0) == (narrow, wide, widest)
    assert classes_of(StepKind.PROBE, {}, 0.2) == ("probe/c1", "probe")
    assert classes_of(StepKind.ENCODE, {"ladder": None}, 0.01) == ("encode/c0", "encode")


def test_the_average_follows_and_says_how_far_it_was_off() -> None:
    chance = random.Random(7)
    learned = taught(*(chance.uniform(1.0, 3.0) for _ in range(400)))
    found = known(classes_of(StepKind.ENCODE, PARAMS, 10.0), learned)
    assert 1.5 < found.factor < 2.5
    assert 0.25 < found.spread < 0.8  # 0.5 is the mean absolute deviation of that
    # When machines become twice as fast, it is learned within some dozens
    for _ in range(60):
        found = after(found, Learned(n=1, factor=1.0, parallel=4.0))
    assert found.factor == pytest.approx(1.0, abs=0.1)


def test_an_accident_is_bounded() -> None:
    (lesson, *_) = lessons(Seen(StepKind.PROBE, {}, 0.2, 10_000.0, 1.0)).values()
    assert lesson.factor == 50.0
    (lesson, *_) = lessons(Seen(StepKind.PROBE, {}, 0.2, 0.0, 0.0)).values()
    assert (lesson.factor, lesson.parallel) == (0.02, 0.0)


def test_planned_steps_carry_what_was_learned_and_by_how_much() -> None:
    spec = step("encode.0", StepKind.ENCODE, cost=10.0, **PARAMS)
    (found,) = weighed([spec], taught(*[2.0] * 10))
    assert (found.cost, found.factor) == (pytest.approx(20.0), pytest.approx(2.0))
    assert weighed([spec], {}) == [spec]


def test_steps_that_were_held_up_count_by_how_long_they_took():
    """CPU seconds of one each: one in a second, one in nine."""
    found = Learned()
    for wall in (1.0, 9.0):
        (lesson, *_) = lessons(Seen(StepKind.AUDIO, {}, 1.0, 1.0, wall)).values()
        found = after(found, lesson)
    assert 1.0 / found.parallel == pytest.approx(5.0)


def test_what_is_charged_at_the_least_is_not_waited_for_so_long():
    learned = {"package": Learned(n=9, factor=0.05, spread=0.01, parallel=0.5)}
    found = estimate(StepKind.PACKAGE, {}, learned, 0.2)
    assert (found.cpu, found.wall) == (LEAST, pytest.approx(0.02))
