"""Whether a worker takes work: what is asked of it, what it finds itself."""

from __future__ import annotations

import logging

import pytest

from rushes.workers.standing import COOLING, CORDONED, DRAINING, TOO_FAR, WORKING, Standing


def test_an_operator_goes_before_what_a_worker_finds_itself() -> None:
    standing = Standing("w")
    standing.clock_off(TOO_FAR + 1)
    assert (standing.state, standing.reason[:10]) == (CORDONED, "clock_skew")
    standing.asked("work")
    assert (standing.takes_work, standing.reason) == (True, "")
    standing.asked("drain")
    assert standing.state == DRAINING
    standing.asked("cordon")
    assert standing.state == CORDONED
    standing.asked("")
    assert standing.reason.startswith("clock_skew")


def test_a_word_to_work_counts_for_a_time_and_then_what_it_finds_itself_again() -> None:
    standing = Standing("w")
    standing.slow("slow_host: 0.4")
    standing.asked("work", 0.0)
    assert standing.state == WORKING
    standing.asked("work", COOLING - 1)
    assert standing.state == WORKING
    standing.asked("work", COOLING + 1)
    assert (standing.state, standing.reason) == (CORDONED, "slow_host: 0.4")
    standing.asked("work", 0.0)  # said once more
    assert standing.state == WORKING
    standing.asked("cordon", COOLING + 1)  # that has no end
    assert standing.state == CORDONED


@pytest.mark.parametrize("seconds", [-TOO_FAR - 1, TOO_FAR + 1])
def test_a_clock_that_is_put_right_lets_it_work_again(seconds: float) -> None:
    standing = Standing("w")
    standing.clock_off(seconds)
    assert not standing.takes_work
    standing.clock_off(0.1)
    assert standing.takes_work


def test_a_wrong_clock_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    standing = Standing("w")
    for seconds in (1.0, 7.0, -8.0):
        standing.clock_off(seconds)
    assert caplog.text.count("from the database's") == 1


def test_a_slow_host_stands_aside_until_it_is_tried_again() -> None:
    standing = Standing("w")
    standing.slow("slow_host: 0.4")
    assert (standing.state, standing.reason) == (CORDONED, "slow_host: 0.4")
    standing.slow("")
    assert standing.state == WORKING


def test_what_changed_is_to_be_said_at_once() -> None:
    standing = Standing("w")
    standing.asked("")
    assert not standing.changed.is_set() and standing.stays.is_set()
    standing.asked("drain")
    assert standing.changed.is_set() and standing.leaves.is_set() and not standing.stays.is_set()
    standing.asked("work")
    assert standing.stays.is_set() and not standing.leaves.is_set()
