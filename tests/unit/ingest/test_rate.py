"""Rates of an import, and the waits that keep them."""

from __future__ import annotations

import pytest

from rushes.ingest.rate import Pacer, Rate, parse_rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("30/min", Rate("objects", 0.5)), ("2/s", Rate("objects", 2.0)), ("90/h", Rate("objects", 0.025)),
        ("20MB/s", Rate("bytes", 20e6)), ("1.5 MiB/s", Rate("bytes", 1.5 * 2**20)), ("3600kB/h", Rate("bytes", 1000.0)),
        ("500B/s", Rate("bytes", 500.0)),
    ],
)  # fmt: skip
def test_rates_are_read(text: str, rate: Rate) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text", ["", "fast", "30", "30/day", "0/s", "-1/s", "20TB/s", "20iB/s", "1e3/s", "20Mb/s", "٣/s"]
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="A rate looks like"):
        parse_rate(text)


def test_the_first_goes_at_once_and_the_others_keep_the_rate() -> None:
    pacer = Pacer(2.0)
    assert [pacer.delay(1, 100.0) for _ in range(4)] == [0.0, 0.5, 1.0, 1.5]


def test_an_idle_time_is_not_caught_up_by_a_burst() -> None:
    pacer = Pacer(10.0)
    pacer.delay(5, 0.0)
    assert pacer.delay(5, 60.0) == 0.0
    assert pacer.delay(5, 60.0) == 0.5
