"""What the reconciler puts right, on each database: every repair by its name, once, however many are at it."""

from __future__ import annotations

import pytest

from rushes.catalog import jobs, loads, offices, reconciling, repairs, workforce
from rushes.catalog.change import Store
from rushes.catalog.claiming import Sharing
from rushes.catalog.database import Database
from rushes.catalog.pipeline import Answer, Pipeline
from rushes.catalog.queue import COLUMNS
from rushes.catalog.reconciling import EVERY, MEND_EVERY
from rushes.catalog.telling import Happening, Preempted, Repaired
from rushes.clock import ManualClock
from rushes.engine.job import Job
from rushes.engine.preempt import MOST_TIMES
from rushes.engine.version import GRAPH
from rushes.model import ChecksumResult
from rushes.states import Pool, StepKind, StepState
from tests.contract.parallel import PROBED, together
from tests.contract.shop import Shop


@pytest.fixture
def told(shop: Shop) -> list[Happening]:
    """What the shop's second pipeline, `other`, tells."""
    return []


@pytest.fixture
def other(shop: Shop, told: list[Happening]) -> Pipeline:
    """A process beside the shop's own, with the same clock."""
    store = Store(shop.database, shop.clock, lambda pools: shop.rings.append(set(pools)), tell=told.append)
    return Pipeline(store, lease=30.0, max_attempts=3, tool="ffmpeg-test", sharing=Sharing(preempt=True))


def change(database: Database, statement: str, **values: object) -> int:
    with database.write() as tx:
        return tx.execute(statement, values)


def settled(shop: Shop) -> None:
    """Nothing is left to be put right at the start."""
    shop.pipeline.look_after("first")
    shop.clock.advance(MEND_EVERY + EVERY)


def test_a_lost_step_is_taken_back_and_told(shop: Shop, other: Pipeline, told: list[Happening]) -> None:
    asset = shop.upload()
    shop.claim(Pool.IO)
    shop.clock.advance(31)
    assert other.look_after("other") == {"lease_expired": 1}
    assert Repaired("lease_expired", 1) in told
    assert shop.states(asset.id)["probe"] in (StepState.READY, StepState.WAITING)


def test_one_process_has_the_office_and_the_others_pass_it_by(shop: Shop, other: Pipeline) -> None:
    shop.pipeline.look_after("first")
    shop.upload()
    shop.claim(Pool.IO)
    change(shop.database, "UPDATE steps SET lease_expires = 1 WHERE state = 'running'")
    assert other.look_after("other") == {}
    shop.clock.advance(EVERY)
    assert other.look_after("other") == {"lease_expired": 1}


def test_many_at_once_put_each_thing_right_once(shop: Shop) -> None:
    for _ in range(4):
        shop.upload()
        shop.claim(Pool.IO)
    shop.clock.advance(31)
    found = together(6, lambda _: shop.pipeline.look_after("each"))
    assert sum(one.get("lease_expired", 0) for one in found) == 4


def test_steps_whose_time_has_come_are_woken(shop: Shop, other: Pipeline) -> None:
    asset = shop.upload()
    change(
        shop.database, "UPDATE steps SET state = 'waiting', waiting = 0, not_before = :at WHERE key = 'probe'",
        at=shop.clock.now() + 100,
    )  # fmt: skip
    assert "delays" not in other.look_after("other")
    shop.clock.advance(100)
    assert other.look_after("other")["delays"] == 1
    assert shop.states(asset.id)["probe"] is StepState.READY


@pytest.mark.parametrize("wrong", ["waiting = 7", "waiting = 0"])
def test_a_count_that_is_wrong_is_counted_again(shop: Shop, other: Pipeline, wrong: str) -> None:
    asset = shop.upload()
    shop.probe()
    settled(shop)
    waiting = [step.key for step in shop.catalog.steps(asset.id) if step.state is StepState.WAITING]
    before = {step.key: step.state for step in shop.catalog.steps(asset.id)}
    change(shop.database, f"UPDATE steps SET {wrong} WHERE key = :key", key=waiting[0])
    assert other.look_after("other") == {"waiting_drift": 1}
    assert {step.key: step.state for step in shop.catalog.steps(asset.id)} == before
    shop.clock.advance(EVERY)
    assert other.look_after("other") == {}


def test_counts_are_looked_after_in_turns_until_all_were(
    shop: Shop, other: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repairs, "AT_ONCE", 2)
    for _ in range(3):
        last = shop.upload()
        shop.do("probe", PROBED)
    settled(shop)
    change(shop.database, "UPDATE steps SET waiting = 9 WHERE asset = :asset AND key = 'package.ready'", asset=last.id)
    found = []
    for _ in range(4):
        found.append(other.look_after("other").get("waiting_drift", 0))
        shop.clock.advance(EVERY)
    assert sum(found) == 1


def test_a_step_that_waits_for_nothing_any_more_goes_on(shop: Shop, other: Pipeline) -> None:
    asset = shop.upload()
    shop.do("probe", PROBED)
    settled(shop)
    row = (
        "UPDATE steps SET state = 'waiting', waiting = 3 WHERE asset = :asset AND key = 'checksum' AND state = 'ready'"
    )
    assert change(shop.database, row, asset=asset.id) == 1
    assert other.look_after("other") == {"waiting_drift": 1}
    assert shop.states(asset.id)["checksum"] is StepState.READY
    assert shop.take("checksum").job.kind is StepKind.CHECKSUM


def test_a_lane_that_was_never_opened_is_opened(shop: Shop, other: Pipeline) -> None:
    shop.upload()
    settled(shop)
    change(shop.database, "DELETE FROM queues")
    assert other.look_after("other")["queue_drift"] > 0
    assert shop.pipeline.claim(tuple(Pool), "w1") is not None


def test_deliveries_of_a_dead_sender_are_free_again(database: Database) -> None:
    shop = Shop(database, deliver=True)
    asset = shop.upload()
    shop.catalog.cancel(asset.id)
    assert shop.catalog.take_deliveries()
    shop.clock.advance(100)
    assert shop.pipeline.look_after("x")["outbox_stuck"] == 1


def test_work_beside_idle_workers_is_rung_for(shop: Shop, other: Pipeline) -> None:
    shop.upload()
    shop.clock.advance(60)
    report(shop, "idle", pools=(Pool.IO,))
    shop.rings.clear()
    assert other.look_after("other").get("undispatched") == 1
    assert {Pool.IO} <= set().union(*shop.rings)


def test_work_that_waits_for_a_slot_of_a_busy_worker_is_no_lost_ring(shop: Shop, other: Pipeline) -> None:
    shop.upload()
    shop.pipeline.claim((Pool.IO,), "busy")
    with shop.database.write() as tx:
        tx.execute("UPDATE steps SET pool = 'image' WHERE state = 'ready'")
        tx.execute("UPDATE queues SET pool = 'image' WHERE open = 1")
    shop.clock.advance(12)
    report(shop, "busy", pools=(Pool.IO, Pool.IMAGE))
    assert "undispatched" not in other.look_after("other")


def report(shop: Shop, worker: str, pools: tuple[Pool, ...], slots: int = 1, own: dict[str, int] | None = None) -> None:
    with shop.database.write() as tx:
        presence = workforce.Presence(pools=pools, slots=slots, own=own or {}, release="1.0")
        workforce.leave(tx, worker)  # it may be another one of that name
        workforce.report(tx, worker, presence, shop.clock.now())


def test_with_nobody_left_whoever_finds_nothing_to_do_looks_after_the_rest(
    shop: Shop, other: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = ManualClock()  # monotonic, of the process that stands in
    monkeypatch.setattr(reconciling, "SystemClock", lambda: own)
    shop.pipeline.look_after("dead since")
    asset = shop.upload()
    while shop.pipeline.claim(tuple(Pool), "dead") is not None:
        pass
    shop.clock.advance(60)
    # Who has just come, or comes back after a time without a database, is not the first to judge
    for pause in (0.0, offices.FORSAKEN + 50, offices.FORSAKEN - 1):
        own.advance(pause)
        assert other.claim(tuple(Pool), "w2") is None
        assert shop.states(asset.id)["probe"] is StepState.RUNNING
    own.advance(1.0)
    found = other.claim(tuple(Pool), "w2")  # delays of lost steps are drawn: the first may wait for its time
    assert found is not None or shop.states(asset.id)["probe"] is not StepState.RUNNING


def test_an_office_that_is_held_is_not_taken(shop: Shop) -> None:
    now = shop.clock.now()
    with shop.database.write() as tx:
        assert offices.take(tx, "x", "a", now, 5.0)
        assert not offices.take(tx, "x", "b", now + 4.9, 5.0)
        assert offices.take(tx, "x", "b", now + 5.0, 5.0)
        offices.leave_off(tx, "x", "there")
        offices.done(tx, "x", now + 6, rest=30.0)
        assert (offices.place(tx, "x"), offices.done_at(tx, "x")) == ("there", now + 6)
        assert not offices.is_due(tx, "x", now + 35)
        assert offices.is_due(tx, "x", now + 36)
        assert not offices.is_forsaken(tx, "x", now + 36)
        assert offices.is_forsaken(tx, "x", now + 36 + offices.FORSAKEN)
        assert not offices.is_forsaken(tx, "never taken", now)


def test_one_worker_sweeps_for_all(shop: Shop, other: Pipeline) -> None:
    assert shop.pipeline.may_sweep("first")
    assert not other.may_sweep("other")
    shop.clock.advance(reconciling.SWEEP_EVERY + 1)
    assert other.may_sweep("other") and not shop.pipeline.may_sweep("first")


def test_a_clock_that_was_set_back_closes_no_office(shop: Shop, other: Pipeline) -> None:
    shop.pipeline.look_after("first")
    shop.clock.advance(-3600)
    shop.upload()
    shop.claim(Pool.IO)
    shop.clock.advance(31)
    assert other.look_after("other").get("lease_expired") == 1
    assert other.look_after("other") == {}  # and then it is held as ever
    with shop.database.read() as tx:
        assert all(row["until"] < shop.clock.now() + 600 for row in tx.all("SELECT until FROM offices"))


def test_a_lease_from_before_a_clock_was_set_back_ends_all_the_same(shop: Shop, other: Pipeline) -> None:
    shop.upload()
    shop.claim(Pool.IO)
    shop.clock.advance(-3600)
    assert "lease_expired" not in other.look_after("other")  # who lives has a lease's time to say so
    shop.clock.advance(31)
    assert other.look_after("other").get("lease_expired") == 1


# -- making room ------------------------------------------------------------------------------------------------------


def bulk_running(shop: Shop) -> str:
    """A bulk encode that runs in the one slot of the one worker, and something normal that waits beside it."""
    first = shop.upload("bulk")
    shop.probe()
    job = shop.take("encode.0", worker="w1").job
    change(shop.database, "UPDATE steps SET class = 0, spent = 3 WHERE id = :id", id=job.step_id)
    shop.upload("other")
    shop.do("probe", PROBED)
    report(shop, "w1", pools=(Pool.VIDEO,), slots=1)
    return first.id


def test_bulk_makes_room_for_what_has_waited(shop: Shop, other: Pipeline, told: list[Happening]) -> None:
    bulk_running(shop)
    running = job_of(shop, "w1")
    other.look_after("other")
    assert shop.pipeline.renew(running, 0.1) is Answer.OK  # nothing has waited for long yet
    shop.clock.advance(6)
    report(shop, "w1", pools=(Pool.VIDEO,), slots=1)
    other.look_after("other")
    assert Preempted("video") in told
    assert shop.pipeline.renew(running, 0.1) is Answer.PREEMPT


def test_bulk_of_a_release_that_knows_no_making_room_is_left_alone(
    shop: Shop, other: Pipeline, told: list[Happening]
) -> None:
    """A worker before 0012 takes any word in `cancel` for the end of the step."""
    bulk_running(shop)
    shop.clock.advance(6)
    report(shop, "w1", pools=(Pool.VIDEO,), slots=1)
    change(shop.database, "UPDATE workers SET release = ''")
    other.look_after("other")
    assert Preempted("video") not in told
    assert shop.pipeline.renew(job_of(shop, "w1"), 0.1) is Answer.OK


def test_bulk_makes_no_room_for_what_nobody_here_can_do(shop: Shop, other: Pipeline, told: list[Happening]) -> None:
    bulk_running(shop)
    for table in ("steps", "queues"):
        change(shop.database, f"UPDATE {table} SET version = :newer WHERE class > 0", newer=GRAPH + 1)
    shop.clock.advance(6)
    report(shop, "w1", pools=(Pool.VIDEO,), slots=1)
    other.look_after("other")
    assert Preempted("video") not in told


OWN = {"video": 1}


@pytest.mark.parametrize(("own", "room"), [({}, True), (OWN, False)])
def test_bulk_makes_room_only_where_that_frees_a_slot_for_what_waits(
    shop: Shop, other: Pipeline, told: list[Happening], *, own: dict[str, int], room: bool
) -> None:
    """A video slot of its own does no sound. The two slots are busy with bulk and with something normal."""
    bulk_running(shop)
    busy = shop.take("audio", worker="w1").job
    shop.catalog.pause(Pool.VIDEO)
    shop.clock.advance(6)
    report(shop, "w1", pools=(Pool.VIDEO, Pool.AUDIO), slots=2, own=own)
    other.look_after("other")
    assert (Preempted("audio") in told) is room
    assert shop.pipeline.renew(busy, 0.1) is Answer.OK


def test_a_slot_that_is_free_in_another_share_is_no_room(shop: Shop, other: Pipeline, told: list[Happening]) -> None:
    """The free slot is one that does sound alone: bulk makes room for the encode all the same."""
    bulk_running(shop)
    shop.catalog.pause(Pool.AUDIO)
    shop.clock.advance(6)
    report(shop, "w1", pools=(Pool.VIDEO, Pool.AUDIO), slots=2, own={"audio": 1})
    other.look_after("other")
    assert Preempted("video") in told


def test_bulk_in_slots_apart_makes_no_room(shop: Shop, other: Pipeline, told: list[Happening]) -> None:
    """A copy of a source runs beside the encodes, in slots that none of them gets."""
    bulk_running(shop)
    change(shop.database, "UPDATE steps SET pool = 'io' WHERE class = 0 AND state = 'running'")
    change(
        shop.database, "UPDATE steps SET lease_owner = 'w1', state = 'running', lease_expires = 9e9 WHERE key = 'audio'"
    )
    shop.clock.advance(6)
    report(shop, "w1", pools=(Pool.IO, Pool.VIDEO, Pool.AUDIO), slots=1)
    other.look_after("other")
    assert Preempted("video") not in told


def test_bulk_that_made_room_often_enough_stays(shop: Shop, other: Pipeline, told: list[Happening]) -> None:
    bulk_running(shop)
    change(shop.database, "UPDATE steps SET preempted = :n WHERE class = 0", n=MOST_TIMES)
    shop.clock.advance(6)
    report(shop, "w1", pools=(Pool.VIDEO,), slots=1)
    other.look_after("other")
    assert Preempted("video") not in told


def test_a_step_that_made_room_goes_on_later_with_its_attempt_forgiven(shop: Shop, other: Pipeline) -> None:
    asset = bulk_running(shop)
    job = job_of(shop, "w1")
    shop.clock.advance(6)
    report(shop, "w1", pools=(Pool.VIDEO,), slots=1)
    other.look_after("other")
    assert shop.pipeline.release(job, "released", 3.0)
    (step,) = [step for step in shop.catalog.steps(asset) if step.key == "encode.0"]
    assert (step.state, step.attempts) == (StepState.READY, 0)
    with shop.database.read() as tx:
        row = tx.one("SELECT outcome, cpu_seconds FROM attempts WHERE step = :id", {"id": job.step_id})
    assert row is not None
    assert (row["outcome"], row["cpu_seconds"]) == ("preempted", 3.0)


def test_a_step_that_is_done_before_it_hears_of_it_is_done(shop: Shop, other: Pipeline) -> None:
    asset = bulk_running(shop)
    job = job_of(shop, "w1")
    shop.clock.advance(6)
    report(shop, "w1", pools=(Pool.VIDEO,), slots=1)
    other.look_after("other")
    assert shop.pipeline.complete(job, ChecksumResult(sha256="0" * 64), 3.0)
    (step,) = [step for step in shop.catalog.steps(asset) if step.key == "encode.0"]
    assert step.state is StepState.DONE


def job_of(shop: Shop, worker: str) -> Job:
    with shop.database.read() as tx:
        row = tx.one(
            f"SELECT {COLUMNS} FROM steps WHERE state = 'running' AND class = 0 AND lease_owner = :worker",
            {"worker": worker},
        )
        assert row is not None
        return jobs.read(tx, row, tool="ffmpeg-test")


def test_samples_are_taken_by_the_round(shop: Shop) -> None:
    shop.upload()
    shop.pipeline.look_after("x")
    with shop.database.read() as tx:
        assert loads.read(tx)["io"].ready == 3
