from __future__ import annotations

from rushes.ffmpeg.meter import charge, metered


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
    charge(1.0)
