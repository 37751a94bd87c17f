"""Sampled loads, true seconds of backlog, and what work is learned to cost; on each database."""

from __future__ import annotations

import pytest

from rushes.catalog import costs, fleet, loads, offices, sampling, workforce
from rushes.catalog.costs import Costs
from rushes.catalog.records import Backlog
from rushes.engine.cost import SEEN_ENOUGH, Seen
from rushes.engine.specs import step
from rushes.model import ChecksumResult
from rushes.states import Pool, StepKind
from tests.contract.parallel import PROBED, together
from tests.contract.shop import Shop

LATER = sampling.EVERY + 0.1


def report(shop: Shop, worker: str, *pools: Pool, cores: float = 0.0, state: str = "working") -> None:
    presence = workforce.Presence(pools=pools, slots=2, cores=cores, state=state)
    with shop.database.write() as tx:
        workforce.report(tx, worker, presence, shop.clock.now())


def backlog(shop: Shop, pool: Pool) -> Backlog:
    return next(found for found in shop.catalog.backlog() if found.pool == pool)


def test_a_sample_has_all_open_steps_by_pool_kind_and_class(shop: Shop) -> None:
    shop.upload()
    shop.clock.advance(10)
    shop.claim(Pool.IO)
    found = backlog(shop, Pool.IO)
    assert (found.ready, found.running, found.waiting) == (2, 1, 0)
    assert found.oldest_ready_seconds == 10
    with shop.database.read() as tx:
        load = loads.read(tx)["io"]
    assert load.kinds["probe"] == {"running": 1}
    assert sum(load.classes.values()) == pytest.approx(load.ready_cpu)
    assert {pool.pool for pool in shop.catalog.fleet().pools} == set(Pool)


def test_a_sample_is_for_all_and_for_some_seconds(shop: Shop) -> None:
    assert backlog(shop, Pool.IO).ready == 0
    shop.upload()
    assert backlog(shop, Pool.IO).ready == 0
    shop.clock.advance(LATER)
    assert backlog(shop, Pool.IO).ready == 3


def test_who_samples_slowly_samples_seldom(shop: Shop) -> None:
    now = shop.clock.now()
    with shop.database.write() as tx:
        offices.take(tx, offices.SAMPLE, "x", now, sampling.EVERY)
        offices.done(tx, offices.SAMPLE, now, rest=sampling.PAUSE * 3.0)
        assert not offices.is_due(tx, offices.SAMPLE, now + 59)


def test_backlog_is_in_seconds_of_the_cores_that_are_there(shop: Shop) -> None:
    shop.upload()
    shop.do("probe", PROBED)
    lonely = backlog(shop, Pool.VIDEO)
    assert lonely.ready_cpu_seconds > 0
    assert (lonely.cores, lonely.workers) == (0, 0)
    assert lonely.backlog_seconds == lonely.ready_cpu_seconds  # a number, though there is nobody
    report(shop, "w1", Pool.VIDEO, cores=4.0)
    report(shop, "gone", Pool.VIDEO, cores=64.0, state="cordoned")
    served = backlog(shop, Pool.VIDEO)
    assert (served.cores, served.workers) == (4.0, 1)
    assert served.backlog_seconds == pytest.approx(lonely.ready_cpu_seconds / 4, abs=0.01)


def test_what_runs_counts_with_what_is_left_of_it(shop: Shop) -> None:
    shop.upload()
    shop.do("probe", PROBED)
    job = shop.take("encode.0").job
    shop.pipeline.renew(job, 0.75)
    found = backlog(shop, Pool.VIDEO)
    assert found.ready_cpu_seconds == 0
    assert found.running_cpu_seconds == pytest.approx(job.estimate / 4, abs=0.01)
    assert found.backlog_seconds == found.running_cpu_seconds


def test_the_numbers_for_metrics_are_of_open_steps(shop: Shop) -> None:
    shop.upload()
    shop.do("checksum", ChecksumResult(sha256="0" * 64))
    counts = shop.catalog.counts()
    assert ("ready", "probe", "io", 1) in counts.steps
    assert not [row for row in counts.steps if row[0] == "done"]
    assert counts.assets == {"ingested": 1}


def test_many_who_ask_at_once_make_one_sample(shop: Shop) -> None:
    shop.upload()
    found = together(6, lambda _: shop.catalog.backlog())
    assert all(one[1].pool == "io" for one in found)
    with shop.database.read() as tx:
        assert loads.read(tx)["io"].sampled_at == shop.clock.now()


def test_a_silent_worker_brings_nothing(shop: Shop) -> None:
    report(shop, "w1", Pool.VIDEO, cores=4.0)
    shop.clock.advance(fleet.SILENT_AFTER + 1)
    assert backlog(shop, Pool.VIDEO).cores == 0


# -- what work costs --------------------------------------------------------------------------------------------------


def test_what_one_process_saw_another_learns(shop: Shop) -> None:
    one, other = Costs(), Costs()
    for _ in range(SEEN_ENOUGH):
        one.note(Seen(StepKind.AUDIO, {}, 2.0, 6.0, 3.0))
    one.exchange(shop.database)
    other.exchange(shop.database)
    assert other.learned["audio"].factor == pytest.approx(3.0)
    assert other.learned["audio"].parallel == pytest.approx(2.0)


def test_nothing_is_lost_where_many_tell_at_once(shop: Shop) -> None:
    def tell(number: int) -> None:
        mine = Costs()
        for kind in (StepKind.AUDIO, StepKind.PROBE):
            mine.note(Seen(kind, {}, 1.0, 1.0 + number, 1.0))
        mine.exchange(shop.database)

    together(8, tell)
    with shop.database.read() as tx:
        assert {key: found.n for key, found in costs.read(tx).items() if "/" not in key} == {"audio": 8, "probe": 8}


def test_a_completed_step_teaches_and_the_next_plan_knows(shop: Shop) -> None:
    for _ in range(SEEN_ENOUGH):
        shop.upload()
        shop.do("probe", PROBED)  # planned: 0.2 CPU seconds; the shop's take 1
    shop.pipeline.look_after("x")
    asset = shop.upload()
    with shop.database.read() as tx:
        row = tx.one("SELECT cost, factor FROM steps WHERE asset = :id AND key = 'probe'", {"id": asset.id})
    assert row is not None
    assert (row["cost"], row["factor"]) == (pytest.approx(1.0), pytest.approx(5.0))
    # And what is learned from that one is of the plan too, not of the estimate
    shop.do("probe", PROBED)
    shop.pipeline.look_after("x")
    with shop.database.read() as tx:
        assert costs.read(tx)["probe"].factor == pytest.approx(5.0)


def test_copies_and_failures_teach_nothing(shop: Shop) -> None:
    shop.upload()
    job = shop.take("probe").job
    shop.pipeline.release(job, "released", 50.0)
    job = shop.take("checksum").job
    assert shop.pipeline.complete(job, ChecksumResult(sha256="0" * 64), 0.0)
    shop.pipeline.look_after("x")
    with shop.database.read() as tx:
        assert costs.read(tx) == {}


def test_steps_of_classes_that_nobody_saw_keep_their_plan(shop: Shop) -> None:
    spec = step("audio", StepKind.AUDIO, cost=3.0)
    assert (spec.cost, spec.factor) == (3.0, 1.0)
