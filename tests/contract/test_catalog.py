"""The catalog's promises, on each database: fences, leases, retries, one transaction per change."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rushes.catalog.database import Database, migrations
from rushes.catalog.outbox import LEASE
from rushes.catalog.pipeline import Answer
from rushes.catalog.records import Upload
from rushes.engine.job import Job
from rushes.errors import Blame, Conflict, NotFound
from rushes.facts import SourceRef
from rushes.keys import new_id
from rushes.model import (
    Asset,
    LintResult,
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
from rushes.states import Action, AssetState, Pool, Publication, StepKind, StepState
from rushes.tracks import Track
from tests.contract.shop import FACTS, OOPS, PLAN, Shop


def test_migrating_twice_changes_nothing(shop: Shop) -> None:
    assert shop.database.version() == migrations()[-1][0]
    assert shop.database.migrate() == []


def test_an_asset_exists_from_the_creation_of_its_upload(shop: Shop) -> None:
    now = shop.clock.now()
    asset = Asset(id=new_id(now), tenant="t", created_at=now)
    shop.catalog.create_upload(
        Upload(id=new_id(now), asset=asset.id, tenant="t", length=5, created_at=now, expires_at=now + 1), asset
    )
    assert shop.catalog.asset(asset.id).state is AssetState.UPLOADING
    assert [event.type for event in shop.catalog.events()] == ["asset.created"]


def test_finishing_an_upload_twice_plans_the_steps_once(shop: Shop) -> None:
    asset = shop.upload()
    upload = shop.database  # the upload row is finished now
    with upload.read() as tx:
        row = tx.one("SELECT id FROM uploads")
    assert row is not None
    again = shop.catalog.finish_upload(row["id"], SourceRef(key="other", size=1))
    assert again.source == asset.source
    assert set(shop.states(asset.id)) == {"probe", "remux", "checksum"}
    assert shop.rings == [{Pool.IO}]


def test_the_probe_plans_the_rest_in_its_own_transaction(shop: Shop) -> None:
    asset = shop.upload()
    shop.probe()
    states = shop.states(asset.id)
    assert states["encode.0"] is StepState.READY
    assert states["package.ready"] is StepState.WAITING


def test_a_step_is_claimed_by_one_worker_only(shop: Shop) -> None:
    shop.upload()
    keys = [shop.claim().job.key for _ in range(3)]
    assert keys == ["probe", "remux", "checksum"]
    assert shop.pipeline.claim(tuple(Pool), "w2") is None


def test_a_worker_sees_its_own_pools_only(shop: Shop) -> None:
    shop.upload()
    assert shop.pipeline.claim((Pool.VIDEO,), "w1") is None


def test_priority_goes_before_age_and_the_tenant_given_least_goes_first(shop: Shop) -> None:
    # Given two tenants, the first of which has already been given a step
    first = shop.upload("greedy")
    shop.clock.advance(1)
    second = shop.upload("modest")
    assert shop.claim().job.asset == first.id
    # Then the other tenant's probe goes before the first one's checksum
    assert (claim := shop.claim()).job.asset == second.id
    assert claim.job.kind is StepKind.PROBE


def test_a_zombie_completes_nothing(shop: Shop) -> None:
    # Given a worker that went silent past its lease
    asset = shop.upload()
    zombie = shop.claim()
    shop.clock.advance(31)
    assert shop.pipeline.reconcile() == 1
    shop.clock.advance(5)
    # When another worker has the step and the first one comes back
    second = shop.claim(worker="w2")
    assert (second.job.key, second.job.fence) == (zombie.job.key, 2)
    late = shop.pipeline.complete(zombie.job, ProbeResult(facts=FACTS, plan=PLAN), 1.0)
    # Then its result is refused and changes nothing
    assert late is False
    assert shop.pipeline.renew(zombie.job, 0.5) is Answer.FENCED
    assert shop.catalog.asset(asset.id).facts is None
    assert shop.pipeline.complete(second.job, ProbeResult(facts=FACTS, plan=PLAN), 1.0) is True


def test_a_heartbeat_extends_the_lease(shop: Shop) -> None:
    shop.upload()
    claim = shop.claim()
    for _ in range(4):
        shop.clock.advance(20)
        assert shop.pipeline.renew(claim.job, 0.5) is Answer.OK
    assert shop.pipeline.reconcile() == 0


def test_a_transient_failure_is_tried_again_later_and_at_last_fails_the_asset(shop: Shop) -> None:
    asset = shop.upload()
    for attempt in range(3):
        claim = shop.claim(Pool.IO)
        assert claim.job.kind is StepKind.PROBE
        assert shop.pipeline.fail(claim.job, OOPS, Blame.TRANSIENT)
        if attempt < 2:
            states = shop.states(asset.id)
            assert states["probe"] is StepState.WAITING
            shop.clock.advance(400)
    failed = shop.catalog.asset(asset.id)
    assert (failed.state, failed.reason) == (AssetState.FAILED, OOPS)
    assert shop.states(asset.id)["checksum"] is StepState.CANCELLED


def test_a_permanent_failure_is_not_tried_again(shop: Shop) -> None:
    asset = shop.upload()
    claim = shop.claim()
    shop.pipeline.fail(claim.job, Reason(code="not_media", message="no"), Blame.PERMANENT)
    assert shop.catalog.asset(asset.id).reason == Reason(code="not_media", message="no")
    assert [event.type for event in shop.catalog.events()][-1] == "asset.failed"


def test_a_step_that_kills_workers_is_set_aside(shop: Shop) -> None:
    asset = shop.upload()
    for _ in range(4):
        shop.clock.advance(400)
        shop.take("probe")
        shop.clock.advance(31)
        shop.pipeline.reconcile()
    reason = shop.catalog.asset(asset.id).reason
    assert reason is not None and reason.code == "quarantined"


def test_an_optional_step_that_fails_leaves_a_note_and_the_asset_alone(shop: Shop) -> None:
    asset = shop.upload()
    shop.probe()
    claim = next(c for c in iter(shop.claim, None) if c.job.key == "transcript")
    shop.pipeline.fail(claim.job, OOPS, Blame.PERMANENT)
    after = shop.catalog.asset(asset.id)
    assert after.state is AssetState.INGESTED
    assert after.notes[-1].message.startswith("transcript failed")


def test_the_whole_way_to_published(shop: Shop) -> None:
    # Given an asset whose encode and audio are done
    asset = shop.upload()
    shop.probe()
    shop.do("encode.0", TracksResult(tracks=()))
    shop.do("audio", TracksResult(tracks=()))
    # When it is packaged
    packaged = shop.do("package.ready", PackageResult(build=1, tracks=(), complete=True, bytes=10))
    assert packaged.job.build == 1
    assert set(packaged.job.inputs) == {"encode.0", "audio"}
    assert shop.catalog.asset(asset.id).state is AssetState.READY
    assert shop.catalog.asset(asset.id).publication is Publication.PRIVATE
    # Then it becomes public only by verdict and pointer
    verdict = Verdict(action=Action.PUBLISH, policy="development@1", rules=("default",))
    shop.do("verdict.ready", VerdictResult(verdict=verdict))
    shop.do("publish.ready", PublishResult(build=1))
    done = shop.catalog.asset(asset.id)
    assert (done.publication, done.published_build) == (Publication.PUBLISHED, 1)
    types = [event.type for event in shop.catalog.events() if event.type != "asset.updated"]
    assert types == ["asset.created", "asset.ingested", "asset.playable", "asset.ready", "asset.published"]


def test_a_verdict_against_what_is_public_takes_it_down(shop: Shop) -> None:
    asset = shop.upload()
    shop.probe()
    shop.do("encode.0", TracksResult(tracks=()))
    shop.do("audio", TracksResult(tracks=()))
    shop.do("package.ready", PackageResult(build=1, tracks=(), complete=True, bytes=10))
    shop.do("verdict.ready", VerdictResult(verdict=Verdict(action=Action.PUBLISH, policy="p@1", rules=("default",))))
    shop.do("publish.ready", PublishResult(build=1))
    shop.catalog.decide(asset.id, Action.BLOCK)
    review = next(key for key in shop.states(asset.id) if key.startswith("verdict.review"))
    shop.do(review, VerdictResult(verdict=Verdict(action=Action.BLOCK, policy="p@1", rules=("override",))))
    assert shop.catalog.asset(asset.id).publication is Publication.BLOCKED
    assert any(key.startswith("cleanup.unpublish") for key in shop.states(asset.id))


def up_to_publish(shop: Shop) -> None:
    """Every step of the first asset that comes before its publication."""
    shop.probe()
    for key, result in (
        ("encode.0", TracksResult(tracks=())),
        ("audio", TracksResult(tracks=())),
        ("package.ready", PackageResult(build=1, tracks=(), complete=True, bytes=10)),
        ("lint.ready", LintResult(build=1)),
        ("verdict.ready", VerdictResult(verdict=Verdict(action=Action.PUBLISH, policy="p@1", rules=()))),
    ):
        shop.do(key, result)


def test_a_late_publish_of_a_deleted_asset_is_taken_back(shop: Shop) -> None:
    asset = shop.upload()
    up_to_publish(shop)
    claim = next(c for c in iter(shop.claim, None) if c.job.key == "publish.ready")
    shop.catalog.delete(asset.id)
    assert shop.pipeline.renew(claim.job, 0.0) is Answer.CANCEL
    assert shop.pipeline.complete(claim.job, PublishResult(build=1), 0.1)
    assert shop.catalog.asset(asset.id).state is AssetState.DELETED
    cleanups = [key for key in shop.states(asset.id) if key.startswith("cleanup")]
    assert any("unpublish" in key for key in cleanups)
    assert any("delete" in key for key in cleanups)


LATE: dict[str, Callable[[Shop, Job], object]] = {
    "done": lambda shop, job: shop.pipeline.complete(job, PublishResult(build=1), 0.1),
    "failed": lambda shop, job: shop.pipeline.fail(job, OOPS, Blame.TRANSIENT),
    "given back": lambda shop, job: shop.pipeline.release(job, "released"),
    "stopped": lambda shop, job: shop.pipeline.overtaken(job),
}


@pytest.mark.parametrize("how", list(LATE))
@pytest.mark.parametrize("blocked", [True, False])
def test_whatever_a_zombie_publisher_has_written_is_put_in_order(shop: Shop, how: str, blocked: bool) -> None:
    # Given a publisher that went silent past its lease, whose step another worker has done
    asset = shop.upload()
    up_to_publish(shop)
    zombie = next(c for c in iter(shop.claim, None) if c.job.key == "publish.ready")
    shop.clock.advance(31)
    shop.pipeline.reconcile()
    shop.clock.advance(60)
    shop.do("publish.ready", PublishResult(build=1), worker="w2")
    if blocked:
        shop.catalog.decide(asset.id, Action.BLOCK)
    before = set(shop.states(asset.id))
    # When it comes back, however it ends
    assert not LATE[how](shop, zombie.job)
    # Then a step makes the pointer what the catalog says
    (planned,) = set(shop.states(asset.id)) - before
    assert planned.startswith("cleanup.unpublish" if blocked else "publish.retry")


def test_skipped_counts_as_done_for_those_that_wait(shop: Shop) -> None:
    asset = shop.upload()
    shop.probe()
    shop.do("encode.0", TracksResult(tracks=()))
    shop.do("audio", Skipped(reason=Reason(code="audio_unreadable", message="x")))
    assert shop.states(asset.id)["package.ready"] is StepState.READY


def test_cancel_fails_the_asset_and_tells_the_running_worker(shop: Shop) -> None:
    asset = shop.upload()
    claim = shop.claim()
    shop.catalog.cancel(asset.id)
    assert shop.pipeline.renew(claim.job, 0.1) is Answer.CANCEL
    assert shop.pipeline.release(claim.job, "cancelled")
    assert set(shop.states(asset.id).values()) == {StepState.CANCELLED}
    assert shop.catalog.asset(asset.id).state is AssetState.FAILED


def test_retry_starts_what_failed_again(shop: Shop) -> None:
    asset = shop.upload()
    claim = shop.claim()
    shop.pipeline.fail(claim.job, OOPS, Blame.PERMANENT)
    again = shop.catalog.retry(asset.id)
    assert (again.state, again.reason) == (AssetState.INGESTED, None)
    assert shop.states(asset.id) == dict.fromkeys(("probe", "remux", "checksum"), StepState.READY)
    with pytest.raises(Conflict):
        shop.catalog.retry(asset.id)


def test_disown_gives_back_everything_without_charging_the_attempt(shop: Shop) -> None:
    shop.upload()
    shop.claim()
    assert shop.pipeline.disown() == 1
    claim = shop.claim()
    assert claim.job.fence == 2
    with shop.database.read() as tx:
        row = tx.one("SELECT attempts FROM steps WHERE id = :id", {"id": claim.job.step_id})
    assert row is not None and row["attempts"] == 1


def test_each_attempt_to_package_gets_its_own_build_number(shop: Shop) -> None:
    shop.upload()
    shop.probe()
    shop.do("encode.0", TracksResult(tracks=()))
    shop.do("audio", TracksResult(tracks=()))
    numbers = []
    for _ in range(2):
        claim = next(c for c in iter(shop.claim, None) if c.job.key == "package.ready")
        numbers.append(claim.job.build)
        shop.pipeline.release(claim.job, "released")
    assert numbers == [1, 2]


def test_events_are_ordered_and_replayable(shop: Shop) -> None:
    first, second = shop.upload("a"), shop.upload("b")
    everything = shop.catalog.events(limit=100)
    assert [event.seq for event in everything] == sorted(event.seq for event in everything)
    assert shop.catalog.events(after=everything[1].seq)[0] == everything[2]
    assert {event.asset for event in shop.catalog.events(tenant="b")} == {second.id}
    assert {event.asset for event in shop.catalog.events(asset=first.id)} == {first.id}


def failed_delivery(database: Database) -> Shop:
    """A shop with a webhook, and one asset that failed."""
    shop = Shop(database, deliver=True)
    shop.upload()
    shop.pipeline.fail(shop.claim().job, OOPS, Blame.PERMANENT)
    return shop


def test_deliveries_keep_their_id_and_are_postponed_or_done(database: Database) -> None:
    shop = failed_delivery(database)
    (delivery,) = shop.catalog.take_deliveries()
    assert delivery.event.type == "asset.failed"
    shop.catalog.delivery_failed(delivery, 10)
    assert shop.catalog.take_deliveries() == []
    shop.clock.advance(11)
    (again,) = shop.catalog.take_deliveries()
    assert (again.id, again.attempts) == (delivery.id, 1)
    shop.catalog.delivery_done(again)
    shop.clock.advance(1000)
    assert shop.catalog.take_deliveries() == []


def test_a_delivery_is_given_to_one_sender_until_its_lease_ends(database: Database) -> None:
    shop = failed_delivery(database)
    (first,) = shop.catalog.take_deliveries()
    assert shop.catalog.take_deliveries() == []
    # When the sender dies, another has it; and of the two the first to tell is heard
    shop.clock.advance(LEASE + 1)
    (second,) = shop.catalog.take_deliveries()
    assert second.id == first.id
    shop.catalog.delivery_done(second)
    shop.catalog.delivery_failed(first, 1)
    shop.clock.advance(1000)
    assert shop.catalog.take_deliveries() == []


def test_messages_about_one_asset_go_to_one_sender_at_a_time(database: Database) -> None:
    # Given two messages about one asset and one about another
    shop = failed_delivery(database)
    (told,) = {event.asset for event in shop.catalog.events()}
    shop.catalog.delete(told)
    other = shop.upload()
    shop.catalog.delete(other.id)
    # When one sender has the first
    (first,) = shop.catalog.take_deliveries(1)
    # Then the next is given the other asset's only, until the first one is through
    assert [delivery.event.asset for delivery in shop.catalog.take_deliveries()] == [other.id]
    shop.catalog.delivery_done(first)
    assert [delivery.event.type for delivery in shop.catalog.take_deliveries()] == ["asset.deleted"]


def test_a_stack_that_starts_alone_waits_for_no_dead_sender(database: Database) -> None:
    shop = failed_delivery(database)
    shop.catalog.take_deliveries()
    shop.pipeline.disown()
    assert len(shop.catalog.take_deliveries()) == 1


def test_a_completion_that_was_taken_is_taken_again_but_only_of_the_same_attempt(shop: Shop) -> None:
    # Given a worker that never heard that its result was taken, for the connection broke at the COMMIT
    shop.upload()
    claim = shop.claim()
    probed = ProbeResult(facts=FACTS, plan=PLAN)
    assert shop.pipeline.complete(claim.job, probed, 1.0)
    told = shop.catalog.last_event()
    # When it says so again, then it is told yes, and nothing happens twice
    assert shop.pipeline.complete(claim.job, probed, 1.0)
    assert shop.catalog.last_event() == told
    assert not shop.pipeline.complete(claim.job.model_copy(update={"fence": 0}), probed, 1.0)
    assert not shop.pipeline.fail(claim.job, OOPS, Blame.TRANSIENT)
    assert not shop.pipeline.release(claim.job, "released")


def test_the_bell_rings_for_what_a_change_made_ready_and_for_nothing_else(shop: Shop) -> None:
    shop.upload()
    probe = shop.claim()
    shop.rings.clear()
    shop.pipeline.renew(probe.job, 0.1)
    assert shop.rings == []
    shop.pipeline.complete(probe.job, ProbeResult(facts=FACTS, plan=PLAN), 0.1)
    assert shop.rings == [{Pool.VIDEO, Pool.AUDIO, Pool.SPEECH}]  # not IO, where the checksum has been ready before
    shop.rings.clear()
    shop.pipeline.reconcile()
    assert shop.rings == [{Pool.IO, Pool.VIDEO, Pool.AUDIO, Pool.SPEECH}]


def test_what_a_tool_said_may_hold_any_character(shop: Shop) -> None:
    shop.upload()
    claim = shop.claim()
    assert shop.pipeline.fail(claim.job, OOPS, Blame.TRANSIENT, detail="before\0after % :name 'quoted'")
    with shop.database.read() as tx:
        row = tx.one("SELECT detail FROM attempts WHERE step = :id", {"id": claim.job.step_id})
    assert row is not None
    assert row["detail"] == "before\ufffdafter % :name 'quoted'"


def test_pages_are_stable_and_newest_first(shop: Shop) -> None:
    ids = []
    for _ in range(5):
        shop.clock.advance(1)
        ids.append(shop.upload().id)
    page, cursor = shop.catalog.assets(tenant="default", limit=2)
    assert [asset.id for asset in page] == ids[:2:-1]
    rest, end = shop.catalog.assets(tenant="default", after=cursor, limit=10)
    assert [asset.id for asset in rest] == ids[2::-1]
    assert end is None
    assert shop.catalog.assets(tenant="other")[0] == []


def test_what_is_not_there_is_not_found(shop: Shop) -> None:
    with pytest.raises(NotFound):
        shop.catalog.asset("0" * 26)
    with pytest.raises(NotFound):
        shop.catalog.upload("0" * 26)


def test_originals_are_deleted_once_their_days_are_over(shop: Shop) -> None:
    # Given an asset that is ready, with nothing left to do
    asset = shop.upload()
    shop.probe()
    while claim := shop.pipeline.claim(tuple(Pool), "w1"):
        packaged = PackageResult(build=1, tracks=(), complete=True, bytes=10)
        skipped = Skipped(reason=Reason(code="x", message="x"))
        shop.pipeline.complete(claim.job, packaged if claim.job.key == "package.ready" else skipped, 0.1)
    shop.clock.advance(86_400)
    assert shop.pipeline.housekeep(2) == 0
    # When its days are over
    shop.clock.advance(2 * 86_400)
    assert shop.pipeline.housekeep(2) == 1
    # Then one cleanup is planned, and only once
    assert shop.pipeline.housekeep(2) == 0
    assert shop.states(asset.id)["cleanup.original.0"] is StepState.READY


def test_outputs_of_lost_attempts_are_collected_once_and_the_winners_stay(shop: Shop) -> None:
    # Given an asset whose encode was lost once and won at its second attempt
    asset = shop.upload()
    shop.probe()
    prefix = f"media/{asset.id}/t/abc/2/360p/"
    won = Track(name="360p", kind="video", prefix=prefix, codecs="avc1.64001e", timescale=30, segments=())
    lost = next(c for c in iter(shop.claim, None) if c.job.key == "encode.0")
    shop.pipeline.fail(lost.job, OOPS, Blame.TRANSIENT)
    shop.pipeline.disown()
    shop.clock.advance(60)
    assert shop.pipeline.housekeep(-1) == 0  # work is still open
    while claim := shop.pipeline.claim(tuple(Pool), "w1"):
        result: Result = Skipped(reason=Reason(code="x", message="x"))
        if claim.job.key == "encode.0":
            result = TracksResult(tracks=(won,))
        shop.pipeline.complete(claim.job, result, 0.1)
    # When the house is kept
    assert shop.pipeline.housekeep(-1) == 1
    # Then one cleanup keeps the winner's prefix, and it is planned once
    cleanup = shop.claim()
    assert cleanup.job.params == {"what": "losers", "keep": [f"media/{asset.id}/t/abc/2/"]}
    shop.pipeline.complete(cleanup.job, Skipped(reason=Reason(code="x", message="x")), 0.1)
    assert shop.pipeline.housekeep(-1) == 0
