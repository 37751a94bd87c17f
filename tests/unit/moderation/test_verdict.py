from __future__ import annotations

from typing import Any

import pytest

from rushes.engine.job import Job
from rushes.facts import SourceRef
from rushes.model import (
    CoverageEntry,
    Label,
    LabelsResult,
    PackageResult,
    Result,
    Skipped,
    TracksResult,
    Verdict,
    VerdictResult,
)
from rushes.moderation.verdict import run
from rushes.noun import Reason
from rushes.settings import load_policy, load_profile
from rushes.states import Action, Coverage, StepKind

BUILD = PackageResult(build=1, tracks=(), complete=True, bytes=0)
SKIPPED = Skipped(reason=Reason(code="not_standard", message="The source needs an encode."))
TRACKS = TracksResult(tracks=())
CLEAN = LabelsResult(
    labels=(), coverage=(CoverageEntry(detector="nudenet", version="3", state=Coverage.EVALUATED, frames=9),)
)
NUDE = CLEAN.model_copy(
    update={
        "labels": (
            Label(name="Explicit Nudity", parents=("Explicit",), score=1, start=0, end=1, detector="n", version="1"),
        )
    }
)
BLOCKED = Verdict(action=Action.BLOCK, policy="development@1", rules=("explicit-block",))


def job(inputs: dict[str, Result], *, policy: str = "strict", phase: str = "ready", **fields: Any) -> Job:
    return Job(
        step_id="s", key=f"verdict.{phase}", kind=StepKind.VERDICT, asset="a", tenant="t", fence=1, recipe="r",
        params={"phase": phase}, source=SourceRef(key="k", size=1), inputs=inputs,
        profile=load_profile("fast"), policy=load_policy(policy), **fields,
    )  # fmt: skip


def verdict(step: Job) -> tuple[Action, tuple[str, ...]]:
    result = run(step)
    assert isinstance(result, VerdictResult)
    return result.verdict.action, result.verdict.rules


READY: dict[str, Result] = {"package.ready": BUILD, "encode.0": TRACKS}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (CLEAN, (Action.PUBLISH, ("default",))),
        (NUDE, (Action.BLOCK, ("explicit-block", "explicit-hold"))),
        (SKIPPED, (Action.HOLD, ("coverage:visual",))),
        (None, (Action.HOLD, ("coverage:visual",))),
    ],
)
def test_labels_decide_and_missing_ones_are_not_clean(labels: Result | None, expected):
    inputs = READY | ({"labels": labels} if labels else {})
    assert verdict(job(inputs)) == expected


def test_the_first_build_of_a_development_asset_needs_no_labels():
    inputs: dict[str, Result] = {"package.first": BUILD, "remux": TRACKS}
    assert verdict(job(inputs, policy="development", phase="first")) == (Action.PUBLISH, ("default",))
    assert verdict(job(inputs, phase="first"))[0] is Action.HOLD


@pytest.mark.parametrize("inputs", [{"package.first": SKIPPED, "remux": SKIPPED}, {"remux": TRACKS}, {}])
def test_no_build_no_verdict(inputs: dict[str, Result]):
    step = job(inputs, phase="first", verdict_override=Action.PUBLISH)
    result = run(step)
    assert isinstance(result, Skipped)
    assert result.reason == (SKIPPED.reason if "package.first" in inputs else result.reason)
    assert result.reason.code in ("not_standard", "no_build")


def test_damage_is_taken_from_the_tracks():
    for damaged in (TracksResult(tracks=(), missing_seconds=0.2), TracksResult(tracks=(), decode_errors=1)):
        inputs = READY | {"audio": damaged, "labels": CLEAN}
        assert verdict(job(inputs)) == (Action.BLOCK, ("partial:refuse",))


@pytest.mark.parametrize("action", list(Action))
def test_a_moderator_wins(action: Action):
    inputs = READY | {"labels": NUDE}
    assert verdict(job(inputs, phase="review", verdict_override=action)) == (action, ("override",))


def test_a_late_step_without_labels_does_not_undo_what_labels_decided():
    # Given an asset that its labels blocked after the publication
    late = job(READY, policy="development", verdict=BLOCKED)
    # When the ready verdict comes late, or again, then it stays blocked
    assert verdict(late) == (Action.BLOCK, ("explicit-block",))
    # But labels of its own are newer evidence, and a moderator's former decision that was taken back binds nobody
    assert verdict(job(READY | {"labels": CLEAN}, verdict=BLOCKED))[0] is Action.PUBLISH
    taken_back = Verdict(action=Action.BLOCK, policy="development@1", rules=("override",))
    assert verdict(job(READY, policy="development", verdict=taken_back))[0] is Action.PUBLISH
    # And a milder verdict of before never softens this one
    mild = Verdict(action=Action.PUBLISH, policy="strict@1", rules=("default",))
    assert verdict(job(READY, verdict=mild))[0] is Action.HOLD
