from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.engine.retry import (
    FORGIVEN,
    LOST,
    POLICY,
    STORE,
    GiveUp,
    Past,
    Retry,
    after_failure,
    evidence,
    handed_back,
    needs_room,
)
from rushes.errors import Blame

BUSY, KILLED, GONE = (
    Past(Blame.TRANSIENT, "storage_unavailable"),
    Past(Blame.POISON, "tool_killed"),
    Past(Blame.POISON, LOST),
)
BROKE = Past(Blame.TRANSIENT, "tool_failed")
SHORT = Past(Blame.RESOURCE, "scratch_full")
HISTORIES = st.lists(st.sampled_from([BUSY, BROKE, KILLED, GONE, SHORT]), min_size=1, max_size=40)


def test_every_blame_has_its_terms() -> None:
    assert set(POLICY) == set(Blame)


def test_the_creators_file_is_never_tried_again() -> None:
    assert after_failure([Past(Blame.PERMANENT, "not_media")], 4, 0.0) == GiveUp("not_media")


def test_delays_double() -> None:
    found = [after_failure([BUSY] * count, 9, 1.0 - 1e-9) for count in (1, 2, 3)]
    assert [round(retry.delay) for retry in found if isinstance(retry, Retry)] == [1, 2, 4]


def test_the_last_attempt_gives_up_with_its_own_code() -> None:
    assert after_failure([BROKE] * 4, 4, 0.5) == GiveUp("tool_failed")
    assert after_failure([SHORT] * 3, 99, 0.5) == GiveUp("scratch_full")


def test_a_store_that_is_half_away_has_minutes_to_come_back() -> None:
    """One kind of request that gets 503 for ten seconds failed every video that was under way."""
    told = [after_failure([BUSY] * count, 4, 0.0) for count in range(1, 20)]
    waits = [one.delay for one in itertools.takewhile(lambda one: isinstance(one, Retry), told)]  # type: ignore[union-attr]
    assert sum(waits) > 120
    assert told[len(waits)] == GiveUp("storage_unavailable")
    # and neither it nor what is the step's own uses up the attempts of the other
    assert isinstance(after_failure([*[BROKE] * 3, *[BUSY] * 5], 4, 0.5), Retry)
    assert after_failure([*[BUSY] * 5, *[BROKE] * 4], 4, 0.5) == GiveUp("tool_failed")
    # where more attempts are set than that, they count
    assert isinstance(after_failure([BUSY] * 19, 20, 0.5), Retry)
    # and where one is, nothing is tried again
    assert after_failure([BUSY], 1, 0.5) == GiveUp("storage_unavailable")


@pytest.mark.parametrize(
    ("history", "quarantined"),
    [
        ([KILLED] * 2, False),
        ([KILLED] * 3, True),
        ([GONE] * 3, False),
        ([GONE] * 4, True),  # the last two alone: nothing else can be to blame
        ([KILLED, GONE], False),
        ([KILLED, GONE, GONE], True),
        ([SHORT, GONE, GONE], False),
        ([SHORT, GONE, GONE, GONE], True),
        ([GONE, KILLED, GONE], False),
        ([GONE, KILLED, GONE, BUSY, KILLED], True),
        ([BUSY, BUSY, GONE], False),  # a file is not to blame for its surroundings
        ([BUSY, BUSY, BUSY, KILLED], False),
        ([KILLED, BUSY, KILLED, BUSY, KILLED], True),
    ],
)
def test_what_kills_workers_is_quarantined_by_evidence(history: list[Past], quarantined: bool) -> None:
    assert (after_failure(history, 4, 0.5) == GiveUp("quarantined")) is quarantined


def test_other_blames_do_not_use_up_each_others_attempts() -> None:
    assert isinstance(after_failure([GONE, SHORT, BUSY, GONE, SHORT, BUSY], 3, 0.5), Retry)


@pytest.mark.parametrize(
    ("history", "alone"),
    [
        ([BUSY] * 3, False),
        ([GONE], False),
        ([GONE] * 2, True),
        ([KILLED], True),
        ([SHORT], True),
        ([SHORT, BUSY], True),
    ],
)
def test_what_is_suspected_or_was_short_runs_alone(history: list[Past], alone: bool) -> None:
    assert needs_room(history) is alone
    decision = after_failure(history, 9, 0.5)
    assert isinstance(decision, Retry) and decision.alone is alone


@given(HISTORIES, st.floats(0, 1, exclude_max=True))
def test_a_delay_is_never_absurd(history: list[Past], chance: float) -> None:
    decision = after_failure(history, 1000, chance)
    if isinstance(decision, Retry):
        assert 0.5 <= decision.delay <= 300.0


@given(HISTORIES)
def test_whatever_happens_a_step_ends(history: list[Past]) -> None:
    """However its attempts end, no step is tried for ever."""
    most = 4
    told = [after_failure(history[: count + 1], most, 0.5) for count in range(len(history))]
    before = list(itertools.takewhile(lambda one: isinstance(one, Retry), told))
    assert len(before) <= (most - 1) + (STORE.attempts - 1) + 2 + 3


def test_evidence_is_only_what_speaks_against_the_step() -> None:
    assert evidence([BUSY, SHORT, Past(Blame.PERMANENT, "corrupt")]) == 0


def test_what_is_handed_back_comes_at_once_unless_it_goes_on_so() -> None:
    assert [handed_back(times, 0.5).delay for times in (1, FORGIVEN)] == [0.0, 0.0]
    assert 0 < handed_back(FORGIVEN + 1, 0.5).delay < handed_back(FORGIVEN + 3, 0.5).delay <= 300.0
