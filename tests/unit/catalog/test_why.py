"""`why`: one sentence about what an asset is waiting for."""

from __future__ import annotations

import pytest

from rushes.catalog.why import explain
from rushes.model import Asset, StepView, Verdict
from rushes.noun import Reason
from rushes.states import Action, AssetState, Pool, Publication, StepKind, StepState


def asset(state: AssetState = AssetState.INGESTED, **fields: object) -> Asset:
    return Asset(id="a", tenant="t", created_at=0.0, state=state, **fields)


def step(key: str, state: StepState, *, progress: float = 0.0, attempts: int = 0) -> StepView:
    kind = StepKind.ENCODE
    return StepView(
        id=key, key=key, kind=kind, pool=Pool.VIDEO, state=state, required=True, progress=progress, attempts=attempts
    )


def test_an_upload_waits_for_its_client() -> None:
    assert "remaining bytes" in explain(asset(AssetState.UPLOADING), [])


def test_a_failure_says_its_code_and_sentence() -> None:
    failed = asset(AssetState.FAILED, reason=Reason(code="not_media", message="This is no video."))
    assert explain(failed, [step("encode.0", StepState.CANCELLED)]) == "It failed (not_media): This is no video."


def test_what_runs_is_said_with_its_progress_and_before_what_waits() -> None:
    steps = [step("encode.0", StepState.RUNNING, progress=0.42, attempts=1), step("audio", StepState.READY)]
    assert explain(asset(), steps) == "Running: encode.0 (42%)."


def test_a_ready_step_waits_for_a_worker_of_its_pool() -> None:
    assert explain(asset(), [step("encode.0", StepState.READY)]) == (
        "Waiting for a free worker of pool video (for encode.0)."
    )


def test_a_step_that_failed_before_is_not_said_to_lack_a_worker() -> None:
    assert explain(asset(), [step("encode.0", StepState.READY, attempts=2)]) == (
        "Attempts failed and will be repeated: encode.0 (2 before)."
    )
    both = explain(asset(), [step("encode.0", StepState.READY, attempts=1), step("encode.1", StepState.READY)])
    assert "(for encode.1)" in both
    assert "encode.0 (1 before)" in both


@pytest.mark.parametrize(
    ("publication", "part"),
    [
        (Publication.PUBLISHED, "it is published"),
        (Publication.HELD, "held by policy (rules: nudity)"),
        (Publication.BLOCKED, "blocked by policy (rules: nudity)"),
        (Publication.PRIVATE, "Nothing is running"),
    ],
)
def test_when_all_has_ended_the_publication_is_what_counts(publication: Publication, part: str) -> None:
    verdict = Verdict(action=Action.HOLD, policy="strict@1", rules=("nudity",))
    done = asset(AssetState.READY, publication=publication, verdict=verdict)
    assert part in explain(done, [step("encode.0", StepState.DONE)])


def test_what_is_deleted_is_deleted() -> None:
    assert explain(asset(AssetState.DELETED), []) == "It was deleted."
