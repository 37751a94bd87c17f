"""Claims of several processes at once, on PostgreSQL: caps hold, and no step is left in a lane that was shut."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from rushes.catalog import queue, repairs, tallies
from rushes.catalog.claiming import Sharing
from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.pipeline import Pipeline
from rushes.catalog.records import Beat
from rushes.engine.classes import Class
from rushes.engine.fair import Share
from rushes.engine.specs import FAST, NORMAL
from rushes.engine.version import GRAPH
from rushes.model import Skipped, StepSpec
from rushes.noun import Reason
from rushes.states import Pool, StepKind
from tests.contract.parallel import Site, together

if TYPE_CHECKING:
    from tests.services.postgres import Postgres

NOTHING = Skipped(reason=Reason(code="not_evaluated", message="Nothing to do."))


@pytest.fixture
def site(postgres: Postgres) -> Iterator[Site]:
    url = postgres.fresh()
    made = Site(url)
    yield made
    made.database.close()
    postgres.drop(url)


def test_eight_at_once_do_not_exceed_a_cap(site: Site) -> None:
    for _ in range(20):
        site.upload("capped")
    capped = Sharing(of=lambda _: Share(running=3))
    pipeline = Pipeline(site.store, lease=30.0, max_attempts=3, tool="t", sharing=capped)
    claims = together(8, lambda number: pipeline.claim((Pool.IO,), f"w{number}"))
    assert sum(claim is not None for claim in claims) == 3
    site.check()


def test_a_lane_is_not_shut_before_the_eyes_of_who_fills_it(site: Site) -> None:
    """A step comes while a claim has found its lane empty: whoever is first, it is seen."""
    asset = site.probed()
    while claim := site.claim():
        site.pipeline.complete(claim.job, NOTHING, 0.1)
    for number in range(30):
        spec = StepSpec(key=f"lint.{number}", kind=StepKind.POSTER, pool=Pool.IMAGE, required=False)

        def one(who: int, spec: StepSpec = spec) -> None:
            if who:
                site.pipeline.claim((Pool.IMAGE,), "w")
                return
            with site.store.change() as change:
                change.add_steps(site.catalog.asset(asset), [spec])

        together(2, one)
        site.check()
        while claim := site.claim():
            site.pipeline.complete(claim.job, NOTHING, 0.1)


def test_a_cap_that_is_filled_while_the_last_one_ends_is_free_again(site: Site) -> None:
    """A claim counts a step that is just ending, and fills the lanes; the end comes after it, and frees all of them."""
    asset = site.probed()
    while claim := site.claim():
        site.pipeline.complete(claim.job, NOTHING, 0.1)
    urgent, later = (
        StepSpec(key=f"lint.{priority}", kind=StepKind.POSTER, pool=Pool.IMAGE, priority=priority, required=False)
        for priority in (FAST, NORMAL)
    )
    with site.store.change() as change:
        change.add_steps(site.catalog.asset(asset), [urgent, later])
    running = site.pipeline.claim((Pool.IMAGE,), "w")
    assert running is not None and running.job.key == urgent.key
    with ThreadPoolExecutor(1) as thread:
        with site.database.write() as tx:
            queue.fits(tx, queue.Lane(Pool.IMAGE.value, "default", Class.NORMAL, GRAPH), 1)
            ended = thread.submit(site.pipeline.complete, running.job, NOTHING, 0.1)
            site.until_waiting()
        assert ended.result()
    assert site.rows("SELECT class FROM queues WHERE filled = 1") == []
    assert site.claim() is not None


def test_a_cancelled_asset_and_the_signs_of_life_of_its_steps_do_not_wait_in_a_circle(site: Site) -> None:
    asset = site.probed()
    while claim := site.claim():
        site.pipeline.complete(claim.job, NOTHING, 0.1)
    # Rows lie in the other order than their ids
    for key, priority in (("lint.z", NORMAL), ("lint.a", FAST)):
        spec = StepSpec(key=key, kind=StepKind.POSTER, pool=Pool.IMAGE, priority=priority, required=False)
        with site.store.change() as change:
            change.add_steps(site.catalog.asset(asset), [spec])
    jobs = [claim.job for claim in (site.claim(), site.claim()) if claim]
    assert [job.key for job in jobs] == ["lint.a", "lint.z"] and jobs[0].step_id > jobs[1].step_id
    beats = [Beat(step=job.step_id, fence=job.fence, progress=0.1, cpu_seconds=0.1) for job in jobs]
    with ThreadPoolExecutor(2) as threads:
        with site.database.write() as tx:
            tx.one(f"SELECT id FROM steps WHERE id = :id{tx.lock}", {"id": jobs[1].step_id})
            spoken = threads.submit(site.pipeline.renew_all, beats)
            site.until_waiting()
            cancelled = threads.submit(site.catalog.cancel, asset)
            site.until_waiting(2)
        assert set(spoken.result()) == {job.step_id for job in jobs}
        assert cancelled.result().id == asset


def test_ends_that_make_steps_of_other_classes_ready_do_not_wait_in_a_circle(site: Site) -> None:
    """An end takes all lanes of its tenant in the pool; what becomes ready there comes after that."""
    lanes = [queue.Lane(Pool.IMAGE.value, "default", level, GRAPH) for level in Class]
    site.upload()
    with site.store.change() as change:
        change.entered |= set(lanes)

    def end(number: int) -> None:
        for turn in range(20):
            with site.store.change() as change:
                change.left.append((lanes[(number + turn) % 4], 0.1))
                change.entered.add(lanes[(number * turn) % 4])

    together(4, end)
    tags = [row["tag"] for row in site.rows("SELECT tag FROM queues WHERE pool = 'image'")]
    assert sum(map(float, map(str, tags))) == pytest.approx(8.0)


def test_who_mends_lanes_takes_them_in_their_order(site: Site) -> None:
    asset = site.probed()
    first, last = (queue.Lane(pool, tenant, 2, GRAPH) for pool, tenant in (("audio", "a"), ("video", "z")))
    with site.store.change() as change:
        change.entered |= {first, last}
    with site.database.write() as tx:
        tx.execute("UPDATE queues SET filled = 1 WHERE tenant = 'a'")
        tx.execute("UPDATE queues SET open = 0 WHERE tenant = 'z'")
        tx.execute(
            "UPDATE steps SET tenant = 'z', class = 2 WHERE asset = :asset AND pool = 'video' AND state = 'ready'",
            {"asset": asset},
        )
    with ThreadPoolExecutor(1) as thread:
        with site.database.write() as tx:
            tx.one(f"SELECT tag FROM queues WHERE tenant = 'a'{tx.lock}")
            mended = thread.submit(repairs.queue_drift, site.store)
            site.until_waiting()
            tx.one(f"SELECT tag FROM queues WHERE tenant = 'z' AND pool = 'video'{tx.lock}")
        assert mended.result() == 2
    assert site.rows("SELECT tenant FROM queues WHERE filled = 1 OR (tenant = 'z' AND open = 0)") == []


def test_two_that_count_at_once_do_not_hurt_each_other(site: Site) -> None:
    site.upload()
    with ThreadPoolExecutor(1) as thread:
        with site.database.write() as tx:
            tx.execute("INSERT INTO tallies (name, key, n) VALUES ('assets', 'ingested', 7)")
            counted = thread.submit(tallies.refresh, site.store, "other")
            site.until_waiting()
        counted.result()
    assert site.rows("SELECT name, key, n FROM tallies") == [{"name": "assets", "key": "ingested", "n": 1}]


def test_what_is_wrong_with_a_statement_that_nobody_waits_for_is_told_as_it_is(site: Site) -> None:
    with pytest.raises(Exception) as told, site.database.write() as tx:
        tx.later("INSERT INTO pools (pool) VALUES (NULL)")
        tx.later("UPDATE pools SET paused = 1")
    assert not isinstance(told.value, DatabaseUnavailable)
    assert "null value" in str(told.value)
    with site.database.read() as tx:
        assert tx.one("SELECT 1 AS n") is not None
