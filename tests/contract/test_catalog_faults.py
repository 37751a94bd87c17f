"""What the catalog promises where two things happen at once: cancelled and done, deleted and running, retried and cleaned."""

from __future__ import annotations

import pytest

from rushes.catalog.records import Claim
from rushes.engine.graph import intake
from rushes.errors import Blame
from rushes.model import (
    CleanupResult,
    LintResult,
    PackageResult,
    ProbeResult,
    PublishResult,
    Skipped,
    TracksResult,
    Verdict,
    VerdictResult,
)
from rushes.noun import Reason
from rushes.states import Action, AssetState, Pool, Publication, StepKind, StepState
from tests.contract.shop import FACTS, OOPS, PLAN, Shop

PROBED = ProbeResult(facts=FACTS, plan=PLAN)
PACKAGED = PackageResult(build=1, tracks=(), complete=True, bytes=10)
YES = VerdictResult(verdict=Verdict(action=Action.PUBLISH, policy="p@1", rules=()))
NO = VerdictResult(verdict=Verdict(action=Action.HOLD, policy="p@1", rules=("nudity",)))


def take(shop: Shop, key: str) -> Claim:
    """Claim this step, whatever else has to be claimed before. Checks of builds are passed meanwhile: it may wait for one."""
    while (claim := shop.claim()).job.key != key:
        if claim.job.kind is StepKind.LINT:
            assert shop.pipeline.complete(claim.job, LintResult(build=claim.job.build), 1.0)
    return claim


def finish(shop: Shop, *steps: str) -> None:
    results = {"encode.0": TracksResult(tracks=()), "audio": TracksResult(tracks=()), "package.ready": PACKAGED}
    for key in steps:
        shop.do(key, {**results, "verdict.ready": YES, "publish.ready": PublishResult(build=1)}[key])


def open_cleanups(shop: Shop, asset: str) -> list[str]:
    states = shop.states(asset)
    return sorted(key for key, state in states.items() if key.startswith("cleanup") and not state.is_final)


@pytest.mark.parametrize("end", ["cancel", "delete"])
def test_a_probe_that_is_done_after_the_end_of_its_asset_plans_nothing(shop: Shop, end: str) -> None:
    asset = shop.upload()
    probe = shop.claim()
    getattr(shop.catalog, end)(asset.id)
    assert shop.pipeline.complete(probe.job, PROBED, 0.1)
    states = {key: state for key, state in shop.states(asset.id).items() if not key.startswith("cleanup")}
    assert states == dict.fromkeys(("probe", "remux", "checksum"), StepState.CANCELLED)


def test_an_asset_cancelled_during_its_probe_can_be_retried_to_the_end(shop: Shop) -> None:
    asset = shop.upload()
    probe = shop.claim()
    shop.catalog.cancel(asset.id)
    shop.pipeline.complete(probe.job, PROBED, 0.1)
    shop.catalog.retry(asset.id)
    shop.probe()
    finish(shop, "encode.0", "audio", "package.ready")
    assert shop.catalog.asset(asset.id).state is AssetState.READY


def test_a_retry_takes_a_cancellation_back_that_the_worker_has_not_heard_yet(shop: Shop) -> None:
    # Given an encode that runs, is cancelled, and retried before its heartbeat
    asset = shop.upload()
    shop.probe()
    encode = take(shop, "encode.0")
    shop.catalog.cancel(asset.id)
    assert shop.catalog.retry(asset.id).state is AssetState.INGESTED
    # When the worker stops it all the same, because it was just being told
    shop.pipeline.release(encode.job, "cancelled")
    # Then it starts again: what waits for it does not go on without it
    assert shop.states(asset.id)["encode.0"] is StepState.READY
    assert shop.states(asset.id)["package.ready"] is StepState.WAITING


def test_a_retry_with_nothing_but_a_running_cancelled_step_is_no_conflict(shop: Shop) -> None:
    asset = shop.upload()
    probe = shop.claim()
    shop.do("checksum", Skipped(reason=OOPS))
    shop.catalog.cancel(asset.id)
    shop.catalog.retry(asset.id)
    assert shop.pipeline.complete(probe.job, PROBED, 0.1)
    assert shop.states(asset.id)["encode.0"] is StepState.READY


def test_a_deleted_asset_is_swept_again_when_its_running_steps_have_ended(shop: Shop) -> None:
    asset = shop.upload()
    shop.probe()
    encode = take(shop, "encode.0")
    shop.catalog.delete(asset.id)
    at_once, sweep = open_cleanups(shop, asset.id)
    shop.do(at_once, CleanupResult(objects=1))
    assert shop.states(asset.id)[sweep] is StepState.WAITING
    for row in list(shop.states(asset.id).items()):
        assert row[1] is not StepState.READY
    shop.pipeline.release(encode.job, "cancelled")
    shop.pipeline.disown()  # the other steps that `take` holds
    assert shop.states(asset.id)[sweep] is StepState.READY


def test_a_publish_step_that_was_killed_leaves_no_pointer_of_a_cancelled_asset(shop: Shop) -> None:
    # Given an asset whose provisional build is just being published
    asset = shop.upload()
    shop.probe()
    finish(shop, "encode.0", "audio", "package.ready", "verdict.ready")
    publish = take(shop, "publish.ready")
    # When it fails and the step is stopped, perhaps after it wrote the pointer
    doc = shop.catalog.asset(asset.id).model_copy(update={"state": AssetState.FAILED}).model_dump_json()
    with shop.database.write() as tx:
        tx.execute("UPDATE steps SET cancel = 1 WHERE key = 'publish.ready'")
        tx.execute("UPDATE assets SET state = 'failed', doc = :doc", {"doc": doc})
    shop.pipeline.release(publish.job, "cancelled")
    assert any("unpublish" in key for key in open_cleanups(shop, asset.id))


def test_a_pointer_that_a_lost_attempt_may_have_written_goes_when_the_verdict_has_turned(shop: Shop) -> None:
    asset = shop.upload()
    shop.probe()
    finish(shop, "encode.0", "audio", "package.ready", "verdict.ready")
    lost = take(shop, "publish.ready")
    shop.pipeline.release(lost.job, "released")
    held = shop.catalog.asset(asset.id).model_copy(update={"verdict": NO.verdict, "publication": Publication.HELD})
    with shop.database.write() as tx:
        tx.execute("UPDATE assets SET doc = :doc", {"doc": held.model_dump_json()})
    shop.do("publish.ready", Skipped(reason=Reason(code="verdict_hold", message="Held.")))
    assert any("unpublish" in key for key in open_cleanups(shop, asset.id))


def test_a_takedown_is_never_given_up(shop: Shop) -> None:
    asset = shop.upload()
    shop.catalog.delete(asset.id)
    for _ in range(12):
        claim = shop.claim()
        shop.pipeline.fail(claim.job, Reason(code="storage_unavailable", message="x"), Blame.TRANSIENT)
        shop.clock.advance(400)
    assert open_cleanups(shop, asset.id)


def test_what_is_retried_waits_for_the_cleanup_of_what_failed(shop: Shop) -> None:
    # Given a failed asset whose outputs are about to be collected
    asset = shop.upload()
    shop.probe()
    shop.pipeline.fail(take(shop, "encode.0").job, OOPS, Blame.PERMANENT)
    shop.pipeline.disown()
    assert shop.pipeline.housekeep(-1) == 1
    # When it is retried
    shop.catalog.retry(asset.id)
    # Then nothing writes before the cleanup, which does not know of it, has ended
    assert shop.states(asset.id)["encode.0"] is StepState.WAITING
    cleanup = shop.claim()
    assert cleanup.job.key.startswith("cleanup.losers")
    shop.pipeline.complete(cleanup.job, CleanupResult(objects=1), 0.1)
    assert shop.states(asset.id)["encode.0"] is StepState.READY


def test_an_asset_that_failed_when_it_was_ready_is_ready_again_and_public_after_its_retry(shop: Shop) -> None:
    # Given a public asset that failed by a late required step
    asset = shop.upload()
    shop.probe()
    finish(shop, "encode.0", "audio", "package.ready", "verdict.ready", "publish.ready")
    shop.catalog.decide(asset.id, Action.PUBLISH)
    review = next(key for key in shop.states(asset.id) if key.startswith("publish.review"))
    shop.do(review.replace("publish", "verdict"), YES)
    shop.pipeline.fail(take(shop, review).job, OOPS, Blame.PERMANENT)
    failed = shop.catalog.asset(asset.id)
    assert (failed.state, failed.publication) == (AssetState.FAILED, Publication.PRIVATE)
    # When it is retried
    assert shop.catalog.retry(asset.id).state is AssetState.READY
    shop.pipeline.disown()
    for _ in range(12):
        claim = shop.pipeline.claim(tuple(Pool), "w1")
        if claim is None:
            break
        done = PublishResult(build=1) if claim.job.key.startswith("publish") else Skipped(reason=OOPS)
        shop.pipeline.complete(claim.job, done, 0.1)
    # Then it is as it was
    again = shop.catalog.asset(asset.id)
    assert (again.state, again.publication, again.published_build) == (AssetState.READY, Publication.PUBLISHED, 1)


def test_a_fast_lane_that_comes_last_does_not_replace_the_whole_ladder(shop: Shop) -> None:
    asset = shop.upload()
    shop.probe()
    finish(shop, "encode.0", "audio", "package.ready")
    late = PackageResult(build=2, tracks=(), complete=False, bytes=5)
    shop.do("poster", late)  # any step may carry the result here: the rule is about the result
    assert shop.catalog.asset(asset.id).build == 1


def test_a_moderators_block_takes_down_at_once(shop: Shop) -> None:
    asset = shop.upload()
    shop.probe()
    finish(shop, "encode.0", "audio", "package.ready", "verdict.ready", "publish.ready")
    blocked = shop.catalog.decide(asset.id, Action.BLOCK)
    assert blocked.publication is Publication.BLOCKED
    assert any("unpublish" in key for key in open_cleanups(shop, asset.id))


def test_a_step_that_cannot_be_read_fails_alone(shop: Shop) -> None:
    # Given a row that this version cannot read, ahead of a good one
    bad = shop.upload()
    shop.clock.advance(1)
    good = shop.upload()
    with shop.database.write() as tx:
        tx.execute("UPDATE steps SET params = 'no json' WHERE asset = :id AND key = 'probe'", {"id": bad.id})
    # When a worker looks for work
    claim = shop.claim()
    # Then it gets the good one, and the other asset has failed with a reason
    assert claim.job.asset == good.id
    failed = shop.catalog.asset(bad.id)
    assert failed.reason is not None and failed.reason.code == "internal"


def test_a_damaged_asset_does_not_stop_the_others_either(shop: Shop) -> None:
    bad = shop.upload()
    shop.clock.advance(1)
    good = shop.upload()
    with shop.database.write() as tx:
        tx.execute("UPDATE assets SET doc = '{}' WHERE id = :id", {"id": bad.id})
    assert shop.claim().job.asset == good.id
    assert shop.states(bad.id)["probe"] is StepState.FAILED


def test_a_new_tenant_does_not_get_what_it_missed_before_it_came(shop: Shop) -> None:
    # Given a tenant that was given much, for years, and still has work
    shop.upload("old")
    with shop.database.write() as tx:
        tx.execute("UPDATE queues SET tag = 100000 WHERE tenant = 'old'")
    # When a new one comes with three uploads
    for _ in range(3):
        shop.clock.advance(1)
        shop.upload("new")
    # Then they take turns
    assert [shop.claim().job.tenant for _ in range(2)] == ["old", "new"]


def test_a_tenant_that_comes_back_is_not_behind_for_what_it_got_before(shop: Shop) -> None:
    shop.upload("busy")
    while claim := shop.pipeline.claim(tuple(Pool), "w"):
        shop.pipeline.complete(claim.job, Skipped(reason=OOPS), 0.1)
    with shop.database.write() as tx:
        tx.execute("UPDATE queues SET tag = 100000 WHERE tenant = 'busy'")
    shop.upload("new")
    shop.clock.advance(1)
    shop.upload("busy")
    assert {shop.claim().job.tenant, shop.claim().job.tenant} == {"busy", "new"}


def test_a_worker_that_is_alone_takes_over_without_waiting_for_leases(shop: Shop) -> None:
    shop.upload()
    claim = shop.claim()
    assert shop.pipeline.reconcile() == 0
    assert shop.pipeline.take_over() == 1
    assert not shop.pipeline.complete(claim.job, PROBED, 0.1)
    with shop.database.read() as tx:
        row = tx.one("SELECT attempts, outcome FROM steps s JOIN attempts a ON a.step = s.id WHERE key = 'probe'")
    assert row is not None
    assert (row["attempts"], row["outcome"]) == (1, "lost")  # a step that kills its worker has to be counted


def test_intake_is_planned_once() -> None:
    assert [step.key for step in intake()] == ["probe", "checksum"]


def test_a_step_whose_asset_was_deleted_under_its_hands_has_not_failed(shop: Shop) -> None:
    asset = shop.upload()
    probe = shop.take("probe")
    shop.catalog.delete(asset.id)
    assert not shop.pipeline.fail(probe.job, OOPS, Blame.TRANSIENT, detail="there is no such object", cpu_seconds=1.0)
    assert shop.states(asset.id)["probe"] is StepState.CANCELLED
    with shop.database.read() as tx:
        (attempt,) = tx.all("SELECT outcome, reason_code FROM attempts WHERE step = :step", {"step": probe.job.step_id})
    assert (attempt["outcome"], attempt["reason_code"]) == ("cancelled", None)
    assert shop.catalog.cost(asset.id)["cpu_seconds"] == 1.0
