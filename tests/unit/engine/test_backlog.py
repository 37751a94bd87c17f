"""Seconds until a pool's work is done."""

from __future__ import annotations

import pytest

from rushes.engine.backlog import Hands, backlog_seconds, cores_for


def hands(cores: float, *pools: str) -> Hands:
    return Hands(frozenset(pools), cores)


@pytest.mark.parametrize(
    ("work", "workers", "seconds"),
    [
        ({}, [], 0.0),
        ({"video": 60.0}, [], 60.0),  # nobody is there: as if there were one core
        ({"video": 60.0}, [hands(4, "audio")], 60.0),
        ({"video": 60.0}, [hands(4, "video")], 15.0),
        ({"video": 60.0}, [hands(4, "video"), hands(2, "video", "audio")], 10.0),
        ({"video": 60.0, "audio": 20.0}, [hands(4, "video", "audio")], 20.0),  # all of it by four cores
        ({"audio": 20.0}, [hands(4, "video", "audio")], 0.0),
    ],
)
def test_seconds_of_a_pool(work: dict[str, float], workers: list[Hands], seconds: float) -> None:
    assert backlog_seconds("video", work, workers) == pytest.approx(seconds)


def test_shared_cores_are_given_once() -> None:
    work, workers = {"video": 30.0, "audio": 10.0}, [hands(4, "video", "audio"), hands(3, "video")]
    assert cores_for("video", work, workers) + cores_for("audio", work, workers) == pytest.approx(7.0)
