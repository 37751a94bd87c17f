"""How attempts that did not win end, on each database: counted by whose fault it was, set aside only by evidence."""

from __future__ import annotations

import json

import pytest

from rushes.engine.bundle import Bundle
from rushes.errors import REASONS, Blame
from rushes.model import Asset
from rushes.noun import Reason
from rushes.states import AssetState, StepState
from tests.contract.shop import OOPS, Shop

KILLED = Reason(code="tool_killed", message=REASONS["tool_killed"])
LATER = 400.0
"""Seconds after which every delay of a retry is over."""


def column(shop: Shop, asset: Asset, name: str, key: str = "probe") -> object:
    with shop.database.read() as tx:
        row = tx.one(f"SELECT {name} AS it FROM steps WHERE asset = :id AND key = :key", {"id": asset.id, "key": key})
    assert row is not None
    return row["it"]


def blame(shop: Shop, *blames: Blame) -> None:
    """Attempts at the probe that end so, one after the other."""
    for one in blames:
        shop.clock.advance(LATER)
        job = shop.take("probe").job
        assert shop.pipeline.fail(job, KILLED if one is Blame.POISON else OOPS, one, detail="what it said")


def lose(shop: Shop, times: int) -> None:
    """Workers that have the probe, and go silent."""
    for _ in range(times):
        shop.clock.advance(LATER)
        shop.take("probe")
        shop.clock.advance(LATER)
        assert shop.pipeline.reconcile() >= 1


def test_an_innocent_file_is_not_quarantined_for_what_its_surroundings_did(shop: Shop) -> None:
    asset = shop.upload()
    blame(shop, Blame.TRANSIENT, Blame.TRANSIENT, Blame.POISON)
    assert shop.states(asset.id)["probe"] in (StepState.WAITING, StepState.READY)
    assert shop.catalog.quarantine() == []
    shop.clock.advance(LATER)
    shop.probe()
    assert shop.catalog.asset(asset.id).state is AssetState.INGESTED


def test_a_child_that_is_killed_three_times_is_evidence(shop: Shop) -> None:
    asset = shop.upload()
    blame(shop, Blame.POISON, Blame.POISON)
    assert shop.catalog.asset(asset.id).state is AssetState.INGESTED
    blame(shop, Blame.POISON)
    failed = shop.catalog.asset(asset.id)
    assert failed.reason is not None and failed.reason.code == "quarantined"


def test_lost_workers_are_weak_evidence_for_their_hosts_may_have_gone(shop: Shop) -> None:
    asset = shop.upload()
    lose(shop, 3)
    assert shop.catalog.asset(asset.id).state is AssetState.INGESTED
    lose(shop, 1)  # the second one that it had for itself
    failed = shop.catalog.asset(asset.id)
    assert failed.reason is not None and failed.reason.code == "quarantined"


def test_what_is_suspected_runs_alone(shop: Shop) -> None:
    asset = shop.upload()
    assert not shop.take("probe").job.needs.alone
    shop.clock.advance(LATER)
    shop.pipeline.reconcile()
    lose(shop, 1)
    shop.clock.advance(LATER)
    assert shop.take("probe").job.needs.alone
    assert json.loads(str(column(shop, asset, "needs")))["alone"] is True


def test_what_needed_more_than_it_got_is_tried_alone_and_then_given_up(shop: Shop) -> None:
    asset = shop.upload()
    blame(shop, Blame.RESOURCE)
    shop.clock.advance(LATER)
    job = shop.take("probe").job
    assert job.needs.alone
    shop.pipeline.fail(job, OOPS, Blame.RESOURCE)
    blame(shop, Blame.RESOURCE)
    failed = shop.catalog.asset(asset.id)
    assert failed.reason is not None and failed.reason.code == OOPS.code
    assert shop.catalog.quarantine() == []


def test_a_stack_that_a_step_brings_down_at_every_start_does_not_do_so_for_ever(shop: Shop) -> None:
    # Given a step that takes its whole embedded stack with it, start after start
    asset = shop.upload()
    starts = 0
    while shop.catalog.asset(asset.id).state is AssetState.INGESTED:
        shop.clock.advance(LATER)
        shop.take("probe")
        shop.pipeline.disown()
        starts += 1
        assert starts < 30
    # Then it is set aside at last; and the first few are forgiven, for somebody may just have stopped the stack
    failed = shop.catalog.asset(asset.id)
    assert failed.reason is not None and failed.reason.code == "quarantined"
    assert starts > 6


def test_what_is_handed_back_again_and_again_comes_later_each_time(shop: Shop) -> None:
    asset = shop.upload()
    for _ in range(12):
        shop.clock.advance(LATER)
        shop.pipeline.release(shop.take("probe").job, "released")
    assert float(str(column(shop, asset, "not_before"))) > shop.clock.now() + 1
    assert shop.states(asset.id)["probe"] in (StepState.WAITING, StepState.READY)
    assert column(shop, asset, "attempts") == 0
    shop.clock.advance(LATER)
    shop.probe()


def test_the_quarantine_shows_what_is_needed_to_see_it_again(shop: Shop) -> None:
    asset = shop.upload()
    blame(shop, Blame.TRANSIENT, Blame.POISON, Blame.POISON, Blame.POISON)
    (found,) = shop.catalog.quarantine()
    assert (found.asset, found.key, found.kind, found.reason_code) == (asset.id, "probe", "probe", "tool_killed")
    assert found.replay == f"rushes replay {asset.id}/probe"
    bundle = Bundle.model_validate_json(found.bundle)
    assert bundle.job is not None and bundle.job.source.key == f"sources/default/{asset.id}/1"
    assert [trial.blame for trial in bundle.trials] == [Blame.TRANSIENT, *[Blame.POISON] * 3]
    assert bundle.trials[-1].detail == "what it said"
    assert shop.catalog.quarantined(f"{asset.id}/probe") == shop.catalog.quarantined(found.step) == found


def test_what_is_lost_with_its_worker_has_a_bundle_too(shop: Shop) -> None:
    shop.upload()
    lose(shop, 4)
    bundle = Bundle.model_validate_json(shop.catalog.quarantine()[0].bundle)
    assert bundle.job is not None and bundle.job.key == "probe"
    assert {trial.outcome for trial in bundle.trials} == {"lost"}


@pytest.mark.parametrize("how", ["release", "retry"])
def test_a_step_that_is_let_go_begins_from_the_beginning(shop: Shop, how: str) -> None:
    asset = shop.upload()
    blame(shop, *[Blame.POISON] * 3)
    (found,) = shop.catalog.quarantine()
    if how == "release":
        shop.catalog.release_quarantined(found.step)
    else:
        shop.catalog.retry(asset.id)
    assert shop.catalog.quarantine() == []
    assert [one.step for one in shop.catalog.quarantine(released=True)] == [found.step]
    # And its history is forgiven
    blame(shop, *[Blame.POISON] * 2)
    assert shop.catalog.asset(asset.id).state is AssetState.INGESTED
    shop.clock.advance(LATER)
    shop.probe()


def test_attempts_of_a_release_that_wrote_down_no_blame_count_by_what_is_known_of_them(shop: Shop) -> None:
    asset = shop.upload()
    lose(shop, 2)
    blame(shop, Blame.TRANSIENT)
    with shop.database.write() as tx:
        tx.execute("UPDATE attempts SET blame = NULL")
    lose(shop, 1)
    assert shop.catalog.asset(asset.id).state is AssetState.INGESTED
    lose(shop, 1)
    failed = shop.catalog.asset(asset.id)
    assert failed.reason is not None and failed.reason.code == "quarantined"
