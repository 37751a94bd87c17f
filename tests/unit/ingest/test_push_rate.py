"""The rate that `rushes push` shows: of this push, up to what the server has said it has."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from rushes.clock import ManualClock
from rushes.ingest.push import _reporter, rate_of


@pytest.mark.parametrize(
    ("sent", "seconds", "expected"),
    [(0, 1.0, ""), (-5, 1.0, ""), (5, 0.0, ""), (1_100_000, 0.5, "2.2 MB/s"), (900, 3.0, "300 bytes/s")],
)
def test_rates(sent: int, seconds: float, expected: str) -> None:
    assert rate_of(sent, seconds) == expected


def test_what_was_there_before_and_what_went_at_once_do_not_count_for_speed() -> None:
    clock, progress = ManualClock(), Progress(console=Console(file=io.StringIO()))
    task = progress.add_task("clip", total=None, rate="")
    report = _reporter(progress, task, clock)
    # Given an upload that goes on at 5 MB of 6, whose rest the kernel takes at once
    report(5_000_000, 6_000_000)
    report(6_000_000, 6_000_000)
    assert progress.tasks[0].fields["rate"] == ""
    # When the server has it after two seconds
    clock.advance(2.0)
    report(6_000_000, 6_000_000)
    # Then the rate is that of the rest
    assert progress.tasks[0].fields["rate"] == "500.0 kB/s"
