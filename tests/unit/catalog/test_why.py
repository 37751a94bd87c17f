"""What an asset waits for where none of its steps is to be looked at: on the asset itself it depends. Steps: `tests/contract`."""

from __future__ import annotations

import pytest

from rushes.catalog import why
from rushes.model import Asset, Verdict
from rushes.noun import Reason
from rushes.states import Action, AssetState, Publication


def explain(state: AssetState = AssetState.READY, **fields: object) -> str:
    found = why._at_rest(Asset(id="a", tenant="t", created_at=0.0, state=state, **fields), [])
    assert found is not None
    return found.message


def test_an_upload_waits_for_its_client() -> None:
    assert "remaining bytes" in explain(AssetState.UPLOADING)


def test_a_failure_says_its_code_and_sentence() -> None:
    reason = Reason(code="not_media", message="This is no video.")
    assert explain(AssetState.FAILED, reason=reason) == "It failed (not_media): This is no video."


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
    assert part in explain(publication=publication, verdict=verdict)


def test_what_is_deleted_is_deleted() -> None:
    assert explain(AssetState.DELETED) == "It was deleted."
