"""Whose turn it is among tenants, classes and pools, on both databases."""

from __future__ import annotations

from collections import Counter
from unittest import mock

import pytest

from rushes.catalog import queue, steps
from rushes.catalog.change import Store
from rushes.catalog.claiming import Sharing
from rushes.catalog.database import Session
from rushes.catalog.pipeline import Pipeline
from rushes.catalog.records import Claim, Upload
from rushes.engine.fair import Share
from rushes.engine.specs import ENRICH, FAST, NORMAL
from rushes.engine.version import GRAPH
from rushes.errors import Blame
from rushes.keys import new_id
from rushes.model import Asset, Skipped, StepSpec
from rushes.noun import Reason
from rushes.states import Pool, StepKind, StepState
from tests.contract.shop import OOPS, Shop

NOTHING = Skipped(reason=Reason(code="not_evaluated", message="Nothing to do."))
BULK = -50


class Hall(Shop):
    """A shop whose tenants have shares; steps are planned as a test wants them, without uploads."""

    def share(self, shares: dict[str, Share], age: float = 900.0) -> None:
        self.store = Store(self.database, self.clock)
        sharing = Sharing(of=lambda tenant: shares.get(tenant, Share()), age=age)
        self.pipeline = Pipeline(self.store, lease=30.0, max_attempts=3, tool="ffmpeg-test", sharing=sharing)

    def plan(
        self, tenant: str, count: int = 1, *, priority: int = NORMAL, cost: float = 1.0, pool: Pool = Pool.IMAGE
    ) -> None:
        for _ in range(count):
            now = self.clock.now()
            asset = Asset(id=new_id(now), tenant=tenant, created_at=now, policy="development")
            record = Upload(
                id=new_id(now), asset=asset.id, tenant=tenant, length=9, created_at=now, expires_at=now + 60
            )
            self.catalog.create_upload(record, asset)
            spec = StepSpec(key="lint.x", kind=StepKind.POSTER, pool=pool, priority=priority, cost=cost, required=False)
            with self.store.change() as change:
                change.add_steps(asset, [spec])

    def next(self, *pools: Pool) -> Claim | None:
        return self.pipeline.claim(pools or (Pool.IMAGE,), "w")

    def turns(self, count: int, took: float = 1.0) -> list[str]:
        """Tenants of the next claims, each done before the next one."""
        found = []
        for _ in range(count):
            claim = self.next()
            assert claim is not None
            found.append(claim.job.tenant)
            assert self.pipeline.complete(claim.job, NOTHING, took)
        return found

    def lanes(self, values: str) -> list[tuple[object, ...]]:
        with self.database.read() as tx:
            return [tuple(row[name] for name in row.keys()) for row in tx.all(f"SELECT {values}")]  # noqa: SIM118


@pytest.fixture
def hall(shop: Shop) -> Hall:
    made = Hall(shop.database)
    made.share({})
    return made


def test_one_upload_beside_a_flood_is_next(hall: Hall) -> None:
    hall.plan("flood", 30)
    assert hall.turns(5) == ["flood"] * 5
    hall.plan("small", 2)
    assert Counter(hall.turns(4)) == {"small": 2, "flood": 2}


def test_tenants_share_by_weight(hall: Hall) -> None:
    hall.share({"paid": Share(weight=3.0)})
    hall.plan("paid", 20)
    hall.plan("free", 20)
    assert Counter(hall.turns(16)) == {"paid": 12, "free": 4}


@pytest.mark.parametrize(("took", "cheap"), [(1.0, 10), (0.0, 20)])
def test_what_work_really_took_counts(hall: Hall, took: float, cheap: int) -> None:
    """Copied results cost nothing: their tenant's turn comes again at once."""
    hall.plan("known", 20)
    hall.plan("new", 20)
    turns = []
    for _ in range(20):
        claim = hall.next()
        assert claim is not None
        turns.append(claim.job.tenant)
        hall.pipeline.complete(claim.job, NOTHING, took if claim.job.tenant == "known" else 1.0)
    assert turns.count("known") == pytest.approx(cheap, abs=1)


def test_a_higher_class_goes_first_and_in_it_the_earliest_deadline(hall: Hall) -> None:
    for priority in (BULK, ENRICH, NORMAL, NORMAL + 9, FAST):
        hall.plan("t", priority=priority)
    found = [claim.job.priority for _ in range(5) if (claim := hall.next())]
    assert found == [FAST, NORMAL + 9, NORMAL, ENRICH, BULK]


def test_among_pools_the_one_served_longest_ago_goes_first(hall: Hall) -> None:
    hall.plan("t", 3, pool=Pool.IMAGE)
    hall.clock.advance(1)
    hall.plan("t", 3, pool=Pool.AUDIO)
    found = []
    for _ in range(4):
        hall.clock.advance(1)
        claim = hall.next(Pool.AUDIO, Pool.IMAGE)
        assert claim is not None
        found.append(steps_pool(hall, claim))
    assert found == ["image", "audio", "image", "audio"]


def steps_pool(hall: Hall, claim: Claim) -> str:
    with hall.database.read() as tx:
        row = steps.get(tx, claim.job.step_id)
    assert row is not None
    return str(row["pool"])


def test_nothing_starves(hall: Hall) -> None:
    """One claim in eight is for what was not served for so long, whatever else waits."""
    hall.plan("archive", 1, priority=BULK)
    hall.clock.advance(901)
    hall.plan("busy", 2, priority=FAST)
    with mock.patch("random.random", return_value=0.2):
        assert hall.turns(1) == ["busy"]
    with mock.patch("random.random", return_value=0.1):
        assert hall.turns(2) == ["archive", "busy"]  # and then nothing is too old any more


@pytest.mark.parametrize("end", ["complete", "fail", "release", "lose"])
def test_a_tenant_runs_as_many_steps_of_a_pool_as_it_may(hall: Hall, end: str) -> None:
    hall.share({"capped": Share(running=2)})
    hall.plan("capped", 2)
    hall.plan("capped", 2, priority=FAST)
    claims = [hall.next(), hall.next()]
    assert hall.next() is None
    # Others, and other pools, are as free as before
    hall.plan("other")
    hall.plan("capped", pool=Pool.AUDIO)
    assert (other := hall.next()) and other.job.tenant == "other"
    assert hall.next(Pool.AUDIO)
    job = claims[0].job if claims[0] else None
    assert job is not None
    match end:
        case "complete":
            hall.pipeline.complete(job, NOTHING, 1.0)
        case "fail":
            hall.pipeline.fail(job, OOPS, Blame.PERMANENT)
        case "release":
            hall.pipeline.release(job, "released")
        case "lose":
            hall.clock.advance(31)
            hall.pipeline.reconcile()
            hall.clock.advance(400)
    assert hall.next() is not None


def test_who_counts_for_a_cap_takes_lanes_in_their_order(hall: Hall) -> None:
    """A claim that shuts the lanes it passed, and one that ends a step of the capped tenant and charges such a lane, would wait in
    a circle."""
    hall.share({"capped": Share(running=1)})
    for tenant in ("before", "later"):
        hall.plan(tenant, priority=FAST)
        hall.catalog.cancel(hall.catalog.assets(tenant=tenant, limit=1)[0][0].id)
    hall.plan("capped")
    taken, shut, fits = list[str](), queue.shut, queue.fits

    def shutting(tx: Session, lane: queue.Lane) -> bool:
        taken.append(lane.tenant)
        return shut(tx, lane)

    def counting(tx: Session, lane: queue.Lane, cap: int) -> bool:
        taken.append(lane.tenant)
        return fits(tx, lane, cap)

    with mock.patch("rushes.catalog.queue.shut", shutting), mock.patch("rushes.catalog.queue.fits", counting):
        claim = hall.next()
    assert claim and claim.job.tenant == "capped"
    assert taken == ["before", "capped", "later"]


def test_steps_in_back_off_are_in_nobodys_way(hall: Hall) -> None:
    hall.plan("t", 30)
    for _ in range(30):
        claim = hall.next()
        assert claim is not None
        hall.pipeline.fail(claim.job, OOPS, Blame.TRANSIENT)
    assert hall.next() is None
    assert hall.lanes("count(*) FROM steps WHERE state = 'ready'") == [(0,)]
    assert hall.lanes("count(*) FROM queues WHERE open = 1") == [(0,)]
    hall.clock.advance(400)
    assert hall.next() is not None
    assert hall.lanes("count(*) FROM steps WHERE state = 'ready'") == [(29,)]


def test_a_paused_pool_is_left_out(hall: Hall) -> None:
    hall.plan("t", pool=Pool.IMAGE)
    hall.plan("t", pool=Pool.AUDIO)
    hall.catalog.pause(Pool.IMAGE, "a test")
    assert hall.next(Pool.IMAGE) is None
    claim = hall.next(Pool.IMAGE, Pool.AUDIO)
    assert claim is not None and steps_pool(hall, claim) == "audio"
    hall.catalog.resume(Pool.IMAGE)
    assert hall.next(Pool.IMAGE) is not None


def test_what_a_newer_release_planned_is_left_to_it(hall: Hall) -> None:
    hall.plan("t", 3)
    with hall.database.write() as tx:
        tx.execute("UPDATE steps SET version = :newer", {"newer": GRAPH + 1})
        tx.execute("UPDATE queues SET version = :newer", {"newer": GRAPH + 1})
    assert hall.next() is None
    hall.plan("t", 1)
    assert hall.next() is not None
    assert hall.next() is None
    newer = Sharing(graph=GRAPH + 1)
    hall.pipeline = Pipeline(hall.store, lease=30.0, max_attempts=3, tool="t", sharing=newer)
    assert hall.next() is not None


def test_who_comes_back_starts_level(hall: Hall) -> None:
    hall.plan("busy", 40)
    hall.turns(10)
    hall.plan("late", 20)
    # What it missed is not owed to it: from now on they take turns
    assert Counter(hall.turns(10)) == {"busy": 5, "late": 5}


def test_ready_steps_that_no_lane_leads_to_are_found(hall: Hall) -> None:
    hall.plan("t", 2)
    with hall.database.write() as tx:
        tx.execute("DELETE FROM queues")
    assert hall.next() is None
    with hall.database.write() as tx:
        assert queue.mend(tx, hall.clock.now()) == 1
    assert hall.next() is not None


def test_a_step_of_many_changes_nothing_of_its_asset(hall: Hall) -> None:
    hall.plan("t")
    claim = hall.next()
    assert claim is not None
    before = hall.catalog.asset(claim.job.asset)
    hall.pipeline.complete(claim.job, NOTHING, 1.0)
    assert hall.catalog.asset(claim.job.asset) == before


def test_followers_are_counted_down(hall: Hall) -> None:
    hall.plan("t")
    claim = hall.next()
    assert claim is not None
    asset = hall.catalog.asset(claim.job.asset)
    two = [StepSpec(key=f"lint.{n}", kind=StepKind.POSTER, pool=Pool.IMAGE, required=False) for n in (1, 2)]
    last = StepSpec(key="lint.9", kind=StepKind.POSTER, pool=Pool.IMAGE, required=False, after=("lint.1", "lint.2"))
    with hall.store.change() as change:
        change.add_steps(asset, [*two, last])
    for left in (1, 0):
        claim = hall.next()
        assert claim is not None and claim.job.key != "lint.9"
        hall.pipeline.complete(claim.job, NOTHING, 1.0)
        assert hall.lanes("waiting FROM steps WHERE key = 'lint.9'") == [(left,)]
    assert hall.states(asset.id)["lint.9"] is StepState.READY
