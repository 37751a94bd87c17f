"""Encodes after the first, on each database: beside what plays, once, given up without harm."""

from __future__ import annotations

import pytest

from rushes.catalog.records import Upload
from rushes.engine.job import Job
from rushes.errors import Blame, Conflict, NotFound
from rushes.facts import SourceRef
from rushes.keys import new_id
from rushes.model import (
    AnalysisResult,
    Asset,
    CleanupResult,
    PackageResult,
    ProbeResult,
    PublishResult,
    Result,
    Skipped,
    TracksResult,
    Verdict,
    VerdictResult,
)
from rushes.noun import Reason
from rushes.options import Clip, Options
from rushes.settings import load_profile
from rushes.states import Action, AssetState, Pool, StepKind, StepState
from tests.contract.shop import FACTS, OOPS, PLAN, Shop

FAST = load_profile("fast").ref
DONE = TracksResult(tracks=())
QUIET = Skipped(reason=Reason(code="x", message="Not here."))
ARCHIVE = load_profile("archive").model_copy(update={"video": load_profile("fast").video})
"""By another name, and without an analysis."""


def ready(shop: Shop) -> Asset:
    """An asset with nothing left to be done."""
    asset = shop.upload()
    shop.probe()
    finish(shop)
    assert all(state.is_final for state in shop.states(asset.id).values())
    return shop.catalog.asset(asset.id)


def finish(shop: Shop) -> None:
    """Do whatever is ready, as if all went well."""
    while (claim := shop.pipeline.claim(tuple(Pool), "w1")) is not None:
        assert shop.pipeline.complete(claim.job, answer(claim.job), 1.0)


def answer(job: Job) -> Result:
    """What comes of a step if all goes well."""
    match job.kind:
        case StepKind.PROBE:
            return ProbeResult(facts=FACTS, plan=PLAN)
        case StepKind.PACKAGE if job.params["phase"] == "ready":
            return PackageResult(build=job.build, tracks=(), complete=True, bytes=1)
        case StepKind.VERDICT:
            action = job.verdict_override or Action.PUBLISH
            return VerdictResult(verdict=Verdict(action=action, policy="development@1", rules=()))
        case StepKind.PUBLISH if job.verdict is None or job.verdict.action is Action.PUBLISH:
            builds = [one.build for one in job.inputs.values() if isinstance(one, PackageResult)]
            newest = max([*builds, job.build] if job.params["phase"] == "review" else builds, default=0)
            return PublishResult(build=newest) if newest else QUIET
        case StepKind.ENCODE | StepKind.AUDIO:
            return DONE
        case _:
            return QUIET


def test_it_is_made_beside_what_plays_and_replaces_it(shop: Shop) -> None:
    asset = ready(shop)
    assert (asset.state, asset.profile) == (AssetState.READY, FAST)
    # When it is asked for
    asked = shop.catalog.encode(asset.id, ARCHIVE)
    assert [(encode.number, encode.profile) for encode in asked.encodes] == [(2, ARCHIVE.ref)]
    # Then nothing of the asset has changed, and the source is looked at by the new profile
    assert (asked.state, asked.profile, asked.build) == (AssetState.READY, FAST, asset.build)
    probe = shop.claim()
    assert (probe.job.key, probe.job.profile.name) == ("probe~2", "archive")
    assert shop.pipeline.complete(probe.job, ProbeResult(facts=FACTS, plan=PLAN), 1.0)
    states = shop.states(asset.id)
    assert {key for key in states if key.endswith("~2")} >= {
        "encode.0~2",
        "audio~2",
        "package.ready~2",
        "publish.ready~2",
    }
    assert not {key for key in states if key.startswith(("poster", "labels", "verdict", "transcript")) and "~" in key}
    # And when all of it is there it is the asset's newest build
    finish(shop)
    found = shop.catalog.asset(asset.id)
    assert (found.state, found.profile) == (AssetState.READY, ARCHIVE.ref)
    assert found.build > asset.build
    assert found.published_build == found.build


def test_what_is_said_of_the_analysis_is_that_of_the_build(shop: Shop) -> None:
    asset = ready(shop)
    aimed = ARCHIVE.model_copy(update={"video": load_profile("balanced").video})
    found = AnalysisResult(plan=PLAN, features={"grain": 1.0})
    shop.catalog.encode(asset.id, aimed)
    shop.do("probe~2", ProbeResult(facts=FACTS, plan=PLAN))
    shop.do("analyze~2", found)
    assert shop.catalog.asset(asset.id).analysis is None
    finish(shop)
    assert shop.catalog.asset(asset.id).analysis == found
    # And of one that aims at no quality there is none
    shop.catalog.encode(asset.id, load_profile("fast"))
    finish(shop)
    assert shop.catalog.asset(asset.id).analysis is None


def test_its_steps_see_each_other_without_their_mark(shop: Shop) -> None:
    asset = ready(shop)
    shop.catalog.encode(asset.id, ARCHIVE)
    shop.do("probe~2", ProbeResult(facts=FACTS, plan=PLAN))
    first = shop.do("encode.0~2", DONE)
    shop.do("audio~2", DONE)
    package = shop.claim()
    assert package.job.key == "package.ready~2"
    assert set(package.job.inputs) == {"encode.0", "audio"}
    assert first.job.recipe != package.job.recipe


def test_no_attempt_of_two_encodes_writes_to_one_place(shop: Shop) -> None:
    asset = ready(shop)
    recipes = []
    for number in (2, 3):
        shop.catalog.encode(asset.id, ARCHIVE)
        shop.do(f"probe~{number}", ProbeResult(facts=FACTS, plan=PLAN))
        recipes.append(shop.do(f"encode.0~{number}", DONE).job.recipe)
        finish(shop)
    assert recipes[0] != recipes[1]


def test_asking_again_while_it_is_under_way_changes_nothing(shop: Shop) -> None:
    asset = ready(shop)
    once = shop.catalog.encode(asset.id, ARCHIVE)
    assert shop.catalog.encode(asset.id, ARCHIVE) == once
    with pytest.raises(Conflict, match="encode_under_way"):
        shop.catalog.encode(asset.id, load_profile("fast"))
    finish(shop)
    again = shop.catalog.encode(asset.id, load_profile("fast"))
    assert [encode.number for encode in again.encodes] == [2, 3]


def test_one_that_makes_room_for_others_is_under_way_all_the_same(shop: Shop) -> None:
    asset = ready(shop)
    shop.catalog.encode(asset.id, ARCHIVE)
    assert shop.pipeline.claim(tuple(Pool), "w1") is not None
    with shop.database.write() as tx:
        tx.execute("UPDATE steps SET state = 'cancelled' WHERE state IN ('waiting', 'ready')")
        assert tx.execute("UPDATE steps SET cancel = 2 WHERE state = 'running'") == 1
    with pytest.raises(Conflict):
        shop.catalog.encode(asset.id, load_profile("fast"))


def test_it_needs_an_asset_that_is_ready_and_its_original(shop: Shop) -> None:
    asset = shop.upload()
    with pytest.raises(Conflict, match="not_ready"):
        shop.catalog.encode(asset.id, ARCHIVE)
    with pytest.raises(NotFound):
        shop.catalog.encode("0" * 26, ARCHIVE)
    shop.probe()
    finish(shop)
    shop.clock.advance(10)
    assert shop.pipeline.housekeep(0.0) == 1  # originals are kept for no time
    with pytest.raises(Conflict, match="source_deleted"):
        shop.catalog.encode(asset.id, ARCHIVE)


def test_it_comes_after_what_is_still_done_to_the_asset(shop: Shop) -> None:
    asset = shop.upload()
    shop.probe()
    while shop.catalog.asset(asset.id).state is not AssetState.READY:
        claim = shop.claim()
        result: Result = DONE if claim.job.kind in (StepKind.ENCODE, StepKind.AUDIO) else QUIET
        if claim.job.kind is StepKind.PACKAGE:
            result = PackageResult(build=claim.job.build, tracks=(), complete=True, bytes=1)
        assert shop.pipeline.complete(claim.job, result, 1.0)
    shop.catalog.encode(asset.id, ARCHIVE)
    assert shop.states(asset.id)["probe~2"] is StepState.WAITING
    finish(shop)
    assert shop.catalog.asset(asset.id).profile == ARCHIVE.ref


def test_it_waits_for_a_cleanup_which_would_take_away_what_it_makes(shop: Shop) -> None:
    asset = shop.upload()
    shop.probe()
    shop.pipeline.release(shop.claim().job, "released")  # an attempt that did not win
    finish(shop)
    assert shop.pipeline.housekeep(-1) == 1
    sweep = next(key for key in shop.states(asset.id) if key.startswith("cleanup.losers"))
    shop.catalog.encode(asset.id, ARCHIVE)
    assert shop.states(asset.id)["probe~2"] is StepState.WAITING
    shop.do(sweep, CleanupResult(objects=0))
    assert shop.states(asset.id)["probe~2"] is StepState.READY


def test_it_is_given_up_as_a_whole(shop: Shop) -> None:
    asset = ready(shop)
    shop.catalog.encode(asset.id, ARCHIVE)
    shop.do("probe~2", ProbeResult(facts=FACTS, plan=PLAN))
    running = shop.claim()
    # When it is given up while one of its steps runs
    shop.catalog.cancel_encode(asset.id, 2)
    shop.catalog.cancel_encode(asset.id, 2)
    assert shop.pipeline.complete(running.job, DONE, 1.0)
    # Then nothing of it is left, and the asset is as it was
    states = shop.states(asset.id)
    assert {state for key, state in states.items() if key.endswith("~2") and key != "probe~2"} == {StepState.CANCELLED}
    found = shop.catalog.asset(asset.id)
    assert (found.state, found.profile, found.build) == (AssetState.READY, FAST, asset.build)
    with pytest.raises(NotFound, match="encode_not_found"):
        shop.catalog.cancel_encode(asset.id, 3)


def test_another_may_be_asked_for_as_soon_as_one_is_given_up(shop: Shop) -> None:
    asset = ready(shop)
    shop.catalog.encode(asset.id, ARCHIVE)
    running = shop.claim()
    shop.catalog.cancel_encode(asset.id, 2)
    again = shop.catalog.encode(asset.id, ARCHIVE)
    assert [encode.number for encode in again.encodes] == [2, 3]
    assert shop.states(asset.id)["probe~3"] is StepState.WAITING  # for what still runs
    assert shop.pipeline.release(running.job, "cancelled")
    assert shop.claim().job.key == "probe~3"


def test_where_a_step_of_it_fails_for_good_the_rest_is_not_done(shop: Shop) -> None:
    asset = ready(shop)
    shop.catalog.encode(asset.id, ARCHIVE)
    shop.do("probe~2", ProbeResult(facts=FACTS, plan=PLAN))
    claim = next(one for one in (shop.claim(), shop.claim()) if one.job.key == "encode.0~2")
    assert shop.pipeline.fail(claim.job, OOPS, Blame.PERMANENT)
    states = shop.states(asset.id)
    assert states["encode.0~2"] is StepState.FAILED
    assert states["package.ready~2"] is states["publish.ready~2"] is StepState.CANCELLED
    found = shop.catalog.asset(asset.id)
    assert (found.state, found.build, found.reason) == (AssetState.READY, asset.build, None)
    assert "encode 2 failed at encode.0~2" in found.notes[-1].message


def test_a_retry_lets_no_earlier_encode_replace_the_newest(shop: Shop) -> None:
    asset = ready(shop)
    shop.catalog.encode(asset.id, ARCHIVE)
    shop.do("probe~2", ProbeResult(facts=FACTS, plan=PLAN))
    shop.catalog.cancel_encode(asset.id, 2)
    shop.catalog.encode(asset.id, load_profile("quality").model_copy(update={"video": ARCHIVE.video}))
    with pytest.raises(Conflict, match="nothing_to_retry"):
        shop.catalog.retry(asset.id)
    finish(shop)
    found = shop.catalog.asset(asset.id)
    assert found.profile == load_profile("quality").ref
    assert found.published_build == found.build
    assert shop.states(asset.id)["package.ready~2"] is StepState.CANCELLED


def test_a_retry_takes_the_newest_encode_up_again(shop: Shop) -> None:
    asset = ready(shop)
    shop.catalog.encode(asset.id, ARCHIVE)
    shop.do("probe~2", ProbeResult(facts=FACTS, plan=PLAN))
    assert shop.pipeline.fail(shop.take("encode.0~2").job, OOPS, Blame.PERMANENT)
    shop.catalog.retry(asset.id)
    finish(shop)
    assert shop.catalog.asset(asset.id).profile == ARCHIVE.ref


def test_stopping_the_work_on_an_asset_stops_it_too(shop: Shop) -> None:
    asset = ready(shop)
    shop.catalog.encode(asset.id, ARCHIVE)
    assert shop.catalog.cancel(asset.id).state is AssetState.READY
    assert shop.states(asset.id)["probe~2"] is StepState.CANCELLED


def test_options_stay_with_the_asset_and_reach_every_step(shop: Shop) -> None:
    now = shop.clock.now()
    wanted = Options(clip=Clip(start=1.0, end=3.0))
    asset = ready_with(shop, wanted)
    assert shop.catalog.asset(asset).options == wanted
    shop.catalog.encode(asset, ARCHIVE)
    probe = shop.claim()
    assert probe.job.options == wanted
    assert not probe.job.profile.video.reuse_source
    assert shop.clock.now() == now


def ready_with(shop: Shop, options: Options) -> str:
    now = shop.clock.now()
    asset = Asset(id=new_id(now), tenant="t", created_at=now, options=options)
    upload = Upload(id=new_id(now), asset=asset.id, tenant="t", length=9, created_at=now, expires_at=now + 60)
    shop.catalog.create_upload(upload, asset)
    shop.catalog.finish_upload(upload.id, SourceRef(key=f"sources/t/{asset.id}/1", size=9))
    job = shop.claim().job
    assert job.options == options
    assert shop.pipeline.complete(job, ProbeResult(facts=FACTS, plan=PLAN), 1.0)
    steps = {step.key for step in shop.catalog.steps(asset.id)}
    assert "package.ready" in steps and "remux" not in steps
    finish(shop)
    return asset.id
