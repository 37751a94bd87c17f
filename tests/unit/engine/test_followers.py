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
        # A build of the storyboard alone is made again when the transcript is
        ({"transcript": "failed"}, ["package.enriched", "package.codecs", "publish.codecs"]),
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


ON_DEMAND = {
    "encode.lazy.h264.0": (), "package.ready": (), "package.enriched": ("package.ready",),
    "publish.enriched": ("package.enriched",), "package.lazy": ("encode.lazy.h264.0", "package.ready", "package.enriched"),
    "publish.lazy": ("package.lazy",), "package.codecs": ("package.ready", "package.enriched", "package.lazy"),
    "publish.codecs": ("package.codecs",),
}  # fmt: skip


def on_demand(after: dict[str, tuple[str, ...]], **states: str) -> list[str]:
    links = [(step, one) for step, those in after.items() for one in those]
    named = {key.replace("_", "."): state for key, state in states.items()}
    return followers({key: (key, StepState(named.get(key, "done"))) for key in after}, links)


def test_what_is_made_on_demand_is_part_of_all_builds_behind_it() -> None:
    assert on_demand(ON_DEMAND, encode_lazy_h264_0="failed") == ["package.lazy", "package.codecs", "publish.codecs"]
    alone = {key: those for key, those in ON_DEMAND.items() if "codecs" not in key}
    assert on_demand(alone, encode_lazy_h264_0="cancelled") == ["package.lazy", "publish.lazy"]


def test_captions_that_were_waited_for_bring_a_new_build_on_demand() -> None:
    found = on_demand(ON_DEMAND | {"transcript": (), "package.enriched": ("package.ready", "transcript")},
                      transcript="failed", package_enriched="skipped")  # fmt: skip
    assert found == ["package.enriched", "package.lazy", "package.codecs", "publish.codecs"]


def test_captions_that_wait_for_the_build_on_demand_are_made_on_it_again() -> None:
    turned = ON_DEMAND | {
        "package.lazy": ("encode.lazy.h264.0", "package.ready"),
        "package.enriched": ("package.ready", "package.lazy"),
    }
    assert on_demand(turned, encode_lazy_h264_0="failed") == [
        "package.enriched",
        "package.lazy",
        "package.codecs",
        "publish.codecs",
    ]
