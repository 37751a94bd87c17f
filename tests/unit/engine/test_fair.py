"""The arithmetic of fair shares."""

from __future__ import annotations

import pytest

from rushes.engine.fair import AGED_SHARE, MOST_CORRECTED, charged, corrected, entered, is_aged_turn, owed


def test_who_comes_back_starts_level_and_who_is_ahead_stays_there() -> None:
    assert (entered(1.0, 5.0), entered(7.0, 5.0)) == (5.0, 7.0)


def test_weight_divides_what_is_charged_and_what_is_corrected() -> None:
    assert charged(1.0, 8.0, 4.0) == 3.0
    assert corrected(charged(1.0, 8.0, 4.0), 8.0, 12.0, 4.0) == charged(1.0, 12.0, 4.0)


def test_a_copied_result_is_given_back() -> None:
    assert corrected(charged(0.0, 8.0, 2.0), 8.0, 0.0, 2.0) == 0.0


@pytest.mark.parametrize(
    ("estimate", "actual", "more"), [(1.0, 3.0, 2.0), (1.0, 500.0, MOST_CORRECTED), (0.0, 9.0, 0.5)]
)
def test_one_wrong_estimate_does_not_shut_a_tenant_out(estimate: float, actual: float, more: float) -> None:
    assert owed(estimate, actual) == more


def test_one_claim_in_eight_is_for_what_is_old() -> None:
    draws = [number / 1000 for number in range(1000)]
    assert sum(map(is_aged_turn, draws)) == 1000 // AGED_SHARE
