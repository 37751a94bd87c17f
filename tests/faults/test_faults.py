"""The seventeen faults in short, one after another on one stack with a short lease, and days of random incidents.

`rushes chaos NAME` is the same fault on a stack of its own; `python -m tests.faults` lives many days.
"""

from __future__ import annotations

import pytest

from rushes.chaos import random_day
from rushes.chaos.fault import Fault
from rushes.chaos.faults import FAULTS
from rushes.chaos.stack import Stack
from tests.faults.suffering import assert_survived

SHORT, LONG = 1, 50
"""Days."""


@pytest.mark.parametrize("fault", FAULTS.values(), ids=lambda fault: f"{fault.number:02}-{fault.name}")
def test_the_promise_and_the_bounds_hold(stack: Stack, fault: Fault) -> None:
    assert_survived(fault, stack)


@pytest.mark.parametrize(
    "seed", [*range(SHORT), *(pytest.param(n, marks=pytest.mark.nightly) for n in range(SHORT, LONG))]
)
def test_a_random_day(stack: Stack, seed: int) -> None:
    """Nothing acknowledged is lost, and nothing is published twice."""
    told, broken = random_day.live(stack, seed)
    assert broken == [], told
