"""The exact blocker of a step, and its sentence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rushes.engine.blocker import PoolStand, StepStand, blocker
from rushes.engine.classes import Class
from rushes.states import StepState

POOL = PoolStand("video", workers=2, working=2, able=2, roomy=2, slots=4, busy=4)
STEP = StepStand("encode.0", StepState.READY, Class.NORMAL, POOL)


def step(pool: dict[str, Any] | None = None, **changes: Any) -> StepStand:
    return replace(STEP, **{"pool": replace(POOL, **(pool or {})), **changes})


@pytest.mark.parametrize(
    ("stand", "code", "words"),
    [
        (step(state=StepState.RUNNING, progress=0.4, lease_in=9), "running", "40%"),
        (step(state=StepState.RUNNING, lease_in=-4), "worker_silent", "for 4 s past its lease"),
        (step(after=("probe", "audio")), "waiting_for_steps", "waits for probe, audio."),
        (step(after=tuple("abcde")), "waiting_for_steps", "a, b, c and 2 more."),
        (step(attempts=2, begins_in=30, failure="stalled"), "backing_off", "(2 before, stalled), next in 30 s"),
        (step(begins_in=30), "delayed", "for another 30 s"),
        (step({"paused": True, "reason": "new disks"}), "pool_paused", "new disks"),
        (step({"workers": 0, "working": 0, "able": 0, "roomy": 0}), "no_worker", "--pools video"),
        (step({"working": 0, "able": 0, "roomy": 0}), "workers_cordoned", "cordoned or draining"),
        (step({"able": 0, "roomy": 0}), "newer_release", "newer workers"),
        (step({"roomy": 0}), "no_room", "scratch disk"),
        (step(filled=True), "tenant_cap", "as many steps running"),
        (step({"busy": 3}), "starting", "a slot is free"),
        (step({"urgent_cpu": 120.0}), "more_urgent", "120 CPU seconds of more urgent work"),
        (step({"urgent_cpu": 0.3}), "more_urgent", ": 1 CPU seconds of more urgent work"),
        (step({"tenants": 3}, ahead=7), "turn", "7 steps of its own go before it, and other tenants"),
        (step(ahead=1), "turn", "1 steps of its own go before it."),
        (step({"tenants": 3}), "turn", "all 4 slots are busy, and other tenants take turns with it."),
        (step(), "turn", "all 4 slots are busy."),
    ],
)
def test_the_first_thing_that_is_true_of_it(stand: StepStand, code: str, words: str) -> None:
    found = blocker(stand)
    assert (found.code, found.step, found.pool) == (code, "encode.0", "video")
    assert words in found.message


def test_a_paused_pool_goes_before_all_that_time_would_change() -> None:
    assert blocker(step({"paused": True, "workers": 0, "urgent_cpu": 9.0}, filled=True)).code == "pool_paused"
