"""Random days one after another on one stack: what one process of `python -m tests.faults` does."""

from __future__ import annotations

from rushes.chaos import random_day
from rushes.chaos.local import local_stack
from rushes.clock import SystemClock


def series(seeds: list[int]) -> list[tuple[int, int, list[str]]]:
    """Of each seed: how many assets there were, and what is broken. One stack for all of them."""
    found = []
    with local_stack() as stack:
        for seed in seeds:
            before, clock = len(stack.acknowledged), SystemClock()
            started = clock.monotonic()
            told, broken = random_day.live(stack, seed)
            count = len(stack.acknowledged) - before
            said = "; ".join(broken) or "held"
            print(f"seed {seed} ({clock.monotonic() - started:.1f} s): {', '.join(told)}: {said}", flush=True)  # noqa: T201
            found.append((seed, count, broken))
    return found
