from __future__ import annotations

import pytest

from rushes.ffmpeg.argv import input_args
from rushes.ffmpeg.meter import MOST_RUNS, REST, Run, charge, metered, verb_of


def run(number: int = 0, **values: object) -> Run:
    return Run(program="ffmpeg", verb="libx264", began=100.0 + number, seconds=1.0, cpu_seconds=0.5).model_copy(
        update=values
    )


def test_what_is_charged_within_is_collected() -> None:
    with metered() as meter:
        charge(1.5)
        charge(0.5)
    charge(9.0)
    assert meter.cpu_seconds == 2.0


def test_an_inner_meter_keeps_its_own() -> None:
    with metered() as outer:
        charge(1.0)
        with metered() as inner:
            charge(2.0)
        charge(4.0)
    assert (outer.cpu_seconds, inner.cpu_seconds) == (5.0, 2.0)


def test_without_a_meter_nothing_happens() -> None:
    charge(1.0, lambda: pytest.fail("nobody asked"))


def test_what_was_run_is_made_up_only_for_who_asks() -> None:
    with metered() as meter:
        charge(1.0, lambda: pytest.fail("nobody asked"))
    assert meter.runs is None
    with metered(runs=True) as meter:
        charge(1.0, run)
    assert meter.runs == [run()]


def test_however_many_run_few_are_told() -> None:
    with metered(runs=True) as meter:
        for number in range(MOST_RUNS + 500):
            charge(0.5, lambda number=number: run(number, exit=0, memory=number))
    assert meter.runs is not None
    *first, rest = meter.runs
    assert first == [run(number, exit=0, memory=number) for number in range(MOST_RUNS)]
    assert (rest.verb, rest.runs, rest.cpu_seconds, rest.memory) == (REST, 500, 250.0, MOST_RUNS + 499)
    assert (rest.began, rest.seconds) == (100.0 + MOST_RUNS, 500.0)


def test_one_that_failed_is_not_hidden_among_the_rest() -> None:
    assert run().with_another(run(1, error="stalled")).with_another(run(2)).error == "stalled"


def test_the_verb_of_a_command_is_what_it_writes(tmp_path) -> None:
    source = ["-c:v", "libvpx-vp9", *input_args(tmp_path / "secret.mov", "mov")]
    assert verb_of([*source, "-map", "0:v", "-c:v", "libx264", "-c:a", "aac", "-f", "mp4", "pipe:1"]) == "libx264"
    assert verb_of([*source, "-c:a", "libopus", "-f", "mp4", "-"]) == "libopus"
    assert verb_of([*source, "-c", "copy", "-f", "null", "-"]) == "null"
    assert verb_of([*source, "-map", "0:v"]) == ""
    assert verb_of(["-version"]) == ""
    assert verb_of([*source, "-f", "/home-of/secret.mov"]) == ""
    assert verb_of([]) == ""
    assert verb_of(["-i"]) == ""
