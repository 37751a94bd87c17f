"""Workers in the catalog: what they say of themselves, what is asked of them, their steps' signs of life."""

from __future__ import annotations

import pytest

from rushes.catalog import workforce
from rushes.catalog.pipeline import Answer
from rushes.catalog.records import Beat
from rushes.catalog.workforce import Presence
from rushes.engine.classes import Class, class_of
from rushes.engine.job import Job
from rushes.errors import NotFound
from rushes.states import Pool
from tests.contract.shop import Shop

VIDEO = Presence(
    pools=(Pool.VIDEO, Pool.AUDIO), slots=4, host="h", release="9.9", cores=3.5, memory=8_000, gpu="nvidia:1"
)


def beat(job: Job, progress: float = 0.5, cpu: float = 0.0) -> Beat:
    return Beat(step=job.step_id, fence=job.fence, progress=progress, cpu_seconds=cpu)


def test_what_a_worker_says_is_shown(shop: Shop) -> None:
    shop.pipeline.report("w", VIDEO)
    heard = shop.pipeline.report(
        "w", VIDEO.model_copy(update={"state": "cordoned", "reason": "slow", "speed": 0.4, "skew": 7.0})
    )
    assert (heard.now, heard.wanted) == (shop.clock.now(), "")
    (seen,) = shop.catalog.fleet().workers
    assert (seen.id, seen.pools, seen.host, seen.release, seen.cores, seen.memory, seen.gpu) == (
        "w", ("video", "audio"), "h", "9.9", 3.5, 8_000, "nvidia:1",
    )  # fmt: skip
    assert (seen.state, seen.reason, seen.speed, seen.skew) == ("cordoned", "slow", 0.4, 7.0)


def test_what_an_operator_asks_is_heard_at_the_next_report(shop: Shop) -> None:
    shop.pipeline.report("w", VIDEO)
    for wanted in ("drain", "cordon", "work", ""):
        assert shop.catalog.ask("w", wanted).wanted == wanted
        assert shop.pipeline.report("w", VIDEO).wanted == wanted


def test_a_worker_hears_how_long_ago_it_was_asked(shop: Shop) -> None:
    shop.pipeline.report("w", VIDEO)
    assert shop.pipeline.report("w", VIDEO).since == 0.0
    for _ in range(2):  # asked once more, it counts from then on
        shop.catalog.ask("w", "work")
        shop.clock.advance(90)
        assert shop.pipeline.report("w", VIDEO).since == 90.0


def test_a_worker_that_nobody_knows_or_that_is_gone_cannot_be_asked(shop: Shop) -> None:
    with pytest.raises(NotFound, match="worker_not_found"):
        shop.catalog.ask("w", "drain")
    shop.pipeline.report("w", VIDEO)
    shop.clock.advance(workforce.SILENT_AFTER + 1)
    with pytest.raises(NotFound, match="worker_not_found"):
        shop.catalog.ask("w", "drain")


def test_a_worker_compares_itself_with_the_others_that_live_and_were_measured(shop: Shop) -> None:
    fast = VIDEO.model_copy(update={"speed": 1.5})
    shop.pipeline.report("dead", fast)
    shop.clock.advance(workforce.SILENT_AFTER + 1)
    for name, presence in (("mine", fast), ("new", VIDEO), ("other", fast)):
        shop.pipeline.report(name, presence)
    assert [(one.speed, one.pools, one.state) for one in shop.pipeline.peers("mine")] == [
        (1.5, ("video", "audio"), "working")
    ]


def test_all_steps_of_a_worker_speak_at_once_and_each_gets_its_answer(shop: Shop) -> None:
    for _ in range(4):
        shop.upload()
    going, cancelled, lost, preempted = (shop.claim().job for _ in range(4))
    with shop.database.write() as tx:
        tx.execute("UPDATE steps SET cancel = 1 WHERE id = :id", {"id": cancelled.step_id})
        tx.execute("UPDATE steps SET cancel = 2 WHERE id = :id", {"id": preempted.step_id})
    older = lost.model_copy(update={"fence": 0})
    answers = shop.pipeline.renew_all([beat(job, cpu=3.0) for job in (going, cancelled, older, preempted)])
    assert answers == {
        going.step_id: Answer.OK, cancelled.step_id: Answer.CANCEL, lost.step_id: Answer.FENCED,
        preempted.step_id: Answer.PREEMPT,
    }  # fmt: skip
    with shop.database.read() as tx:
        row = tx.one("SELECT progress, spent, lease_expires FROM steps WHERE id = :id", {"id": going.step_id})
    assert row and (row["progress"], row["spent"]) == (0.5, 3.0)
    assert row["lease_expires"] == shop.clock.now() + shop.pipeline.lease


def test_what_is_asked_of_a_worker_comes_with_the_beats_of_its_steps_too(shop: Shop) -> None:
    shop.upload()
    shop.pipeline.report("w1", VIDEO)
    job = shop.claim(worker="w1").job
    shop.catalog.ask("w1", "drain")
    assert shop.pipeline.renew_all([beat(job)]) == {job.step_id: Answer.DRAIN}
    shop.catalog.ask("w1", "work")
    assert shop.pipeline.renew_all([beat(job)]) == {job.step_id: Answer.OK}


def test_a_step_that_made_room_is_ready_again_and_not_charged(shop: Shop) -> None:
    shop.upload()
    job = shop.claim().job
    with shop.database.write() as tx:
        tx.execute("UPDATE steps SET cancel = 2 WHERE id = :id", {"id": job.step_id})
    assert shop.pipeline.release(job, "released", 2.0)
    with shop.database.read() as tx:
        row = tx.one("SELECT state, attempts, cancel FROM steps WHERE id = :id", {"id": job.step_id})
    assert row and row["state"] in ("ready", "waiting")
    assert (row["attempts"], row["cancel"]) == (0, 0)


def test_an_express_look_leaves_lower_classes_to_others(shop: Shop) -> None:
    shop.upload()
    seen = []
    while claim := shop.pipeline.claim(tuple(Pool), "w", least=Class.FAST):
        seen.append(claim.job)
    assert seen and all(class_of(job.priority) is Class.FAST for job in seen)
    claim = shop.pipeline.claim(tuple(Pool), "w")
    assert claim and class_of(claim.job.priority) < Class.FAST  # it was there all the time


def test_an_express_look_leaves_some_tenants_to_others(shop: Shop) -> None:
    shop.upload("flood")
    shop.upload("flood")
    assert shop.pipeline.claim(tuple(Pool), "w", without=("flood",)) is None
    shop.upload("other")
    claim = shop.pipeline.claim(tuple(Pool), "w", without=("flood", "nobody"))
    assert claim and claim.job.tenant == "other"
    assert shop.claim().job.tenant == "flood"
