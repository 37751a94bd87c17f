from __future__ import annotations

import pytest

from rushes.states import Action, AssetState, Publication, StepState


def test_nothing_leaves_deleted() -> None:
    assert not any(AssetState.DELETED.may_become(state) for state in AssetState)


@pytest.mark.parametrize("state", [state for state in AssetState if state is not AssetState.DELETED])
def test_everything_can_be_deleted(state: AssetState) -> None:
    assert state.may_become(AssetState.DELETED)


def test_an_asset_never_goes_back_before_its_source() -> None:
    assert not any(state.may_become(AssetState.UPLOADING) for state in AssetState)
    assert not AssetState.READY.may_become(AssetState.PLAYABLE)


def test_a_step_is_claimed_only_when_ready() -> None:
    assert [state for state in StepState if state.may_become(StepState.RUNNING)] == [StepState.READY]


def test_done_stays_done() -> None:
    assert not any(StepState.DONE.may_become(state) for state in StepState)


def test_only_published_is_public() -> None:
    assert [state for state in Publication if state.is_public] == [Publication.PUBLISHED]
    assert {action.publication for action in Action} == {Publication.PUBLISHED, Publication.HELD, Publication.BLOCKED}
