from __future__ import annotations

from rushes.clock import ManualClock
from rushes.ingest.patience import LONGEST, Patience


class Waits:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.all: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.all.append(seconds)
        self.clock.advance(seconds)


def patience(waits: Waits, seconds: float, dice: float = 1.0) -> Patience:
    return Patience(seconds, waits.clock, waits, lambda: dice)


def test_waits_grow_and_are_bounded() -> None:
    waits = Waits()
    bounded = patience(waits, 1000.0)
    for _ in range(10):
        assert bounded.wait()
    assert waits.all[:4] == [0.25, 0.5, 1.0, 2.0]
    assert max(waits.all) == LONGEST


def test_jitter_spreads_over_the_upper_half() -> None:
    waits = Waits()
    patience(waits, 1000.0, dice=0.0).wait()
    assert waits.all == [0.125]


def test_it_ends_after_its_time_and_not_later() -> None:
    waits = Waits()
    bounded = patience(waits, 10.0)
    while bounded.wait():
        pass
    assert sum(waits.all) == 10.0


def test_a_success_renews_it() -> None:
    waits = Waits()
    bounded = patience(waits, 3.0)
    while bounded.wait():
        pass
    bounded.success()
    assert bounded.wait()
    assert waits.all[-1] == 0.25
