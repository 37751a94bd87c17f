from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.engine.retry import LONGEST_DELAY, POISON_AFTER, GiveUp, Retry, after_failure
from rushes.errors import Blame


def test_the_creators_file_is_never_tried_again() -> None:
    assert after_failure("not_media", Blame.PERMANENT, 1, 4, 0.0) == GiveUp("not_media")


def test_delays_double() -> None:
    delays = [after_failure("x", Blame.TRANSIENT, attempt, 9, 1.0 - 1e-9) for attempt in (1, 2, 3)]
    assert [round(retry.delay) for retry in delays if isinstance(retry, Retry)] == [1, 2, 4]


def test_the_last_attempt_gives_up_with_its_own_code() -> None:
    assert after_failure("storage_unavailable", Blame.TRANSIENT, 4, 4, 0.5) == GiveUp("storage_unavailable")


def test_what_kills_workers_is_quarantined() -> None:
    assert after_failure("worker_lost", Blame.POISON, POISON_AFTER, 99, 0.5) == GiveUp("quarantined")
    assert isinstance(after_failure("worker_lost", Blame.POISON, POISON_AFTER - 1, 99, 0.5), Retry)


@given(st.integers(1, 60), st.floats(0, 1, exclude_max=True))
def test_a_delay_is_never_absurd(attempts: int, chance: float) -> None:
    decision = after_failure("x", Blame.TRANSIENT, attempts, 1000, chance)
    assert isinstance(decision, Retry)
    assert 0.5 <= decision.delay <= LONGEST_DELAY


@pytest.mark.parametrize("blame", list(Blame))
def test_every_blame_ends_at_some_time(blame: Blame) -> None:
    assert any(isinstance(after_failure("x", blame, attempt, 4, 0.5), GiveUp) for attempt in range(1, 5))
