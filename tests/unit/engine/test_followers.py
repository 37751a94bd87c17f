"""What is done once more when steps are retried: builds that had to do without them, and their publication."""

from __future__ import annotations

import pytest

from rushes.engine.rounds import followers
from rushes.states import StepState

AFTER = {
    "encode.av1.0": (), "encode.0": (), "transcript": (), "package.ready": ("encode.0",), "verdict.ready": ("package.ready",),
    "publish.ready": ("verdict.ready", "package.ready"), "package.enriched": ("package.ready", "transcript"),
    "publish.enriched": ("package.enriched", "verdict.ready"),
    "package.codecs": ("package.ready", "package.enriched", "encode.av1.0"),
    "publish.codecs": ("package.codecs", "verdict.ready"), "publish.retry.9": ("package.codecs",),
}  # fmt: skip
LINKS = [(step, after) for step, those in AFTER.items() for after in those]
LATER = [("package.codecs", "encode.av1.0"), ("publish.ready~2", "package.codecs")]


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ({}, []),
        ({"encode.av1.0": "failed", "package.codecs": "skipped"}, ["package.codecs", "publish.codecs"]),
        ({"encode.av1.0": "failed"}, ["package.codecs", "publish.codecs"]),  # another codec was whole
        ({"encode.av1.0": "failed", "package.codecs": "failed"}, ["publish.codecs"]),
        # Captions come with the other codecs, and not before: what plays never becomes less
        (
            {"transcript": "failed", "package.enriched": "skipped"},
            ["package.enriched", "package.codecs", "publish.codecs"],
        ),
        ({"package.enriched": "failed"}, ["package.codecs", "publish.codecs"]),
        (
            {"package.enriched": "failed", "package.codecs": "skipped"},
            ["package.codecs", "publish.codecs", "publish.enriched"],
        ),
    ],
)
def test_followers(states: dict[str, str], expected: list[str]) -> None:
    assert followers({key: (key, StepState(states.get(key, "done"))) for key in AFTER}, LINKS) == expected


def test_a_later_encode_is_published_once_more_too() -> None:
    states = {"encode.av1.0": StepState.FAILED, "package.codecs": StepState.SKIPPED, "publish.ready~2": StepState.DONE}
    assert followers({key: (key, state) for key, state in states.items()}, LATER) == [
        "package.codecs",
        "publish.ready~2",
    ]
