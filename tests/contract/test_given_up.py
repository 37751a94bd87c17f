"""Encodes that are given up, on each database: the asset stays as it was, and its record says what the pointer names."""

from __future__ import annotations

import pytest

from rushes.api.views import encode_view
from rushes.catalog.encodes import newest
from rushes.catalog.pipeline import Answer
from rushes.engine.job import Job
from rushes.engine.lane import LOOK_END
from rushes.errors import Blame, Conflict
from rushes.model import Asset, PackageResult, ProbeResult, PublishResult, TracksResult
from rushes.plan import Chunk, Look, Plan
from rushes.states import Action, AssetState, Pool, StepKind, StepState
from tests.contract.shop import FACTS, LADDER, OOPS, PLAN, Shop
from tests.contract.test_encodes import ARCHIVE, QUIET, answer, finish, ready

LOOK = Look(ladder=LADDER, chunks=(Chunk(frames=60), Chunk(number=1, first=60)))


def until(shop: Shop, key: str) -> Job:
    """Do whatever comes before the step of this key, which is claimed then."""
    while (job := shop.claim().job).key != key:
        captions = PackageResult(build=job.build, tracks=(), complete=True, bytes=1)
        assert shop.pipeline.complete(job, captions if job.key == "package.enriched" else answer(job), 1.0)
    return job


def build_of(job: Job) -> int:
    return max(one.build for one in job.inputs.values() if isinstance(one, PackageResult))


def is_as_it_was(shop: Shop, asset: Asset) -> bool:
    found = shop.catalog.asset(asset.id)
    same = ("profile", "build", "published_build", "tracks", "analysis", "download", "partial", "state", "publication")
    return all(getattr(found, name) == getattr(asset, name) for name in same)


def packaged(shop: Shop) -> Asset:
    """One whose second encode has all but its publication."""
    asset = ready(shop)
    shop.catalog.encode(asset.id, ARCHIVE)
    assert shop.pipeline.release(until(shop, "publish.ready~2"), "released")
    assert is_as_it_was(shop, asset)
    return asset


def test_before_its_publication_has_begun_nothing_of_it_is_left(shop: Shop) -> None:
    asset = ready(shop)
    shop.catalog.encode(asset.id, ARCHIVE)
    package = until(shop, "package.ready~2")
    assert shop.pipeline.complete(package, answer(package), 1.0)
    shop.catalog.cancel_encode(asset.id, 2)
    assert shop.states(asset.id)["publish.ready~2"] is StepState.CANCELLED
    assert is_as_it_was(shop, asset)
    # And no later decision publishes it
    shop.catalog.decide(asset.id, Action.HOLD)
    shop.catalog.decide(asset.id, Action.PUBLISH)
    finish(shop)
    assert is_as_it_was(shop, asset)


def test_a_retry_takes_nothing_up_that_was_told_to_stop(shop: Shop) -> None:
    asset = ready(shop)
    shop.catalog.encode(asset.id, ARCHIVE)
    shop.catalog.cancel_encode(asset.id, 2)
    assert shop.catalog.asset(asset.id).encodes[0].given_up
    with pytest.raises(Conflict, match="nothing_to_retry"):
        shop.catalog.retry(asset.id)
    # Nor one that had failed before that
    shop.catalog.encode(asset.id, ARCHIVE)
    assert shop.pipeline.fail(until(shop, "probe~3"), OOPS, Blame.PERMANENT)
    shop.catalog.cancel_encode(asset.id, 3)
    with pytest.raises(Conflict, match="nothing_to_retry"):
        shop.catalog.retry(asset.id)
    assert is_as_it_was(shop, asset)


def test_its_publication_goes_on_once_it_has_begun(shop: Shop) -> None:
    asset = packaged(shop)
    publish = shop.claim().job
    shop.catalog.cancel_encode(asset.id, 2)
    shop.catalog.cancel(asset.id)
    assert shop.pipeline.renew(publish, 0.5) is Answer.OK
    # Also where its worker is lost, which may have written the pointer
    shop.clock.advance(400)
    assert shop.pipeline.reconcile() == 1
    shop.catalog.cancel_encode(asset.id, 2)
    shop.clock.advance(400)
    publish = shop.claim().job
    assert shop.pipeline.complete(publish, answer(publish), 1.0)
    found = shop.catalog.asset(asset.id)
    assert (found.build, found.published_build, found.profile) == (build_of(publish), build_of(publish), ARCHIVE.ref)
    shop.catalog.cancel_encode(asset.id, 2)  # too late, and harmless
    assert encode_view(found.encodes[0], shop.catalog.steps(asset.id)).state == "done"
    assert not shop.catalog.asset(asset.id).encodes[0].given_up


def test_what_the_pointer_names_after_all_is_what_the_record_says(shop: Shop) -> None:
    asset = packaged(shop)
    publish = shop.claim().job  # writes the pointer, and cannot say so
    assert shop.pipeline.fail(publish, OOPS, Blame.PERMANENT)
    assert is_as_it_was(shop, asset)
    again = shop.claim().job
    assert (again.kind, build_of(again)) == (StepKind.PUBLISH, asset.build)
    assert shop.pipeline.complete(again, PublishResult(build=build_of(publish)), 1.0)  # the pointer is never led back
    found = shop.catalog.asset(asset.id)
    assert (found.build, found.published_build, found.profile) == (build_of(publish), build_of(publish), ARCHIVE.ref)
    assert encode_view(found.encodes[0], shop.catalog.steps(asset.id)).state == "done"
    assert newest(found) == 2  # what is taken up again is of this encode, never of the one before
    given_up = found.encodes[0].model_copy(update={"given_up": True})
    assert newest(found.model_copy(update={"encodes": (given_up,)})) == 2


def test_what_fails_for_good_when_all_is_published_anew_costs_nobody_his_asset(shop: Shop) -> None:
    asset = packaged(shop)
    assert shop.pipeline.fail(shop.claim().job, OOPS, Blame.PERMANENT)
    assert shop.pipeline.fail(shop.claim().job, OOPS, Blame.PERMANENT)
    assert is_as_it_was(shop, asset)
    assert shop.pipeline.claim(tuple(Pool), "w1") is None


def test_one_of_an_asset_that_is_held_is_there_for_its_owner(shop: Shop) -> None:
    asset = ready(shop)
    shop.catalog.decide(asset.id, Action.HOLD)
    finish(shop)
    shop.catalog.encode(asset.id, ARCHIVE)
    publish = until(shop, "publish.ready~2")
    assert shop.pipeline.complete(publish, QUIET, 1.0)
    found = shop.catalog.asset(asset.id)
    assert (found.build, found.published_build, found.profile) == (build_of(publish), 0, ARCHIVE.ref)
    shop.catalog.decide(asset.id, Action.PUBLISH)
    finish(shop)
    assert shop.catalog.asset(asset.id).published_build == build_of(publish)


def test_stopping_the_work_lets_a_publication_of_the_first_encode_end_too(shop: Shop) -> None:
    asset = shop.upload()
    publish = until(shop, "publish.enriched")
    assert shop.catalog.cancel(asset.id).state is AssetState.READY
    assert shop.pipeline.complete(publish, answer(publish), 1.0)
    found = shop.catalog.asset(asset.id)
    assert found.published_build == found.build == build_of(publish)
    assert all(state.is_final for state in shop.states(asset.id).values())


def test_where_the_rest_of_a_look_is_not_made_it_gets_its_end(shop: Shop) -> None:
    asset = shop.upload()
    shop.do("probe", ProbeResult(facts=FACTS, plan=PLAN.model_copy(update={"look": LOOK})))
    shop.do("first.0", TracksResult(tracks=(), provisional=True))
    while shop.catalog.asset(asset.id).state is not AssetState.READY:
        job = shop.claim().job
        if job.key == "first.1":
            continue  # it takes its time
        first = PackageResult(build=job.build, tracks=(), complete=False, bytes=1, growing=True)
        assert shop.pipeline.complete(job, first if job.key == "package.first" else answer(job), 1.0)
    shop.catalog.cancel(asset.id)
    states = shop.states(asset.id)
    assert states["package.first.1"] is StepState.CANCELLED
    assert states[LOOK_END] is StepState.READY
    assert "package.first" in shop.take(LOOK_END).job.inputs


def test_an_asset_is_encoded_again_so_often_and_no_more(shop: Shop) -> None:
    asset = ready(shop)
    shop.catalog.encode(asset.id, ARCHIVE, most=1)
    assert len(shop.catalog.encode(asset.id, ARCHIVE, most=1).encodes) == 1  # it is under way
    finish(shop)
    with pytest.raises(Conflict, match="too_many_encodes"):
        shop.catalog.encode(asset.id, ARCHIVE, most=1)


def test_a_retry_of_another_codec_leads_to_a_build_with_it(shop: Shop) -> None:
    asset = shop.upload()
    av1 = LADDER.model_copy(update={"rungs": (LADDER.rungs[0].model_copy(update={"codec": "av1"}),)})
    shop.do("probe", ProbeResult(facts=FACTS, plan=Plan(ladders=(LADDER, av1))))
    while (claim := shop.pipeline.claim(tuple(Pool), "w1")) is not None:
        if claim.job.key == "encode.av1.0":
            assert shop.pipeline.fail(claim.job, OOPS, Blame.PERMANENT)
        else:
            assert shop.pipeline.complete(claim.job, answer(claim.job), 1.0)
    assert shop.states(asset.id)["package.codecs"] is StepState.SKIPPED
    shop.catalog.retry(asset.id)
    assert "encode.av1.0" in until(shop, "package.codecs").inputs
    assert shop.states(asset.id)["publish.codecs"] is StepState.WAITING
    # Nothing else is done twice
    assert shop.states(asset.id)["publish.ready"] is StepState.DONE
    with pytest.raises(Conflict, match="nothing_to_retry"):
        shop.catalog.retry(asset.id)
