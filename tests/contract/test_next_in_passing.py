"""The next claim in the transaction of a completion, on both databases: it is what a claim of its own would have been, and nothing
that is wrong with it undoes the completion."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from rushes.catalog import queue, steps
from rushes.catalog.change import Change
from rushes.catalog.database import DatabaseUnavailable, Session
from rushes.catalog.pipeline import Wish
from rushes.catalog.records import Claim
from rushes.engine.classes import Class
from rushes.engine.fair import Share
from rushes.engine.specs import FAST, NORMAL
from rushes.errors import Blame
from rushes.model import Asset, StepSpec
from rushes.states import Pool, StepKind, StepState
from tests.contract.parallel import Site, rounds, together
from tests.contract.shop import OOPS, Shop
from tests.contract.test_lanes import BULK, NOTHING, Hall

if TYPE_CHECKING:
    from tests.services.postgres import Postgres

WISH = Wish((Pool.IMAGE,), "w")


@pytest.fixture
def hall(shop: Shop) -> Hall:
    made = Hall(shop.database)
    made.share({"capped": Share(running=1), "paid": Share(weight=2.0)})
    return made


def first(hall: Hall) -> Claim:
    """By a claim of its own; further ones in this moment need not look at what waits for its time."""
    found = hall.next()
    assert found is not None
    return found


def done(hall: Hall, claim: Claim, wish: Wish | None = WISH, took: float = 1.0) -> Claim | None:
    """The step is, whatever comes of the wish. Gives what does."""
    counted, following = hall.pipeline.complete_and_claim(claim.job, NOTHING, took, wish)
    assert counted
    assert state(hall, claim) == "skipped"
    return following


def state(hall: Hall, claim: Claim) -> str:
    with hall.database.read() as tx:
        row = steps.get(tx, claim.job.step_id)
    assert row is not None
    return str(row["state"])


def running(hall: Hall) -> list[tuple[object, ...]]:
    return hall.lanes("id, fence, lease_owner FROM steps WHERE state = 'running'")


def held(claim: Claim) -> list[tuple[object, ...]]:
    return [(claim.job.step_id, claim.job.fence, "w")]


def key(hall: Hall, name: str, asset: Asset | None = None, **fields: object) -> None:
    """Plan a step of this key, of a new asset where none is given."""
    if asset is None:
        hall.plan("t", pool=Pool.SPEECH)
        asset = hall.catalog.assets(tenant="t", limit=1)[0][0]
    spec = StepSpec(key=name, kind=StepKind.POSTER, pool=Pool.IMAGE, required=False)
    with hall.store.change() as change:
        change.add_steps(asset, [spec.model_copy(update=fields)])


def test_it_is_the_claim_that_would_have_come_next(hall: Hall) -> None:
    for tenant in ("a", "paid"):
        hall.plan(tenant, 8)
    turns = list[str]()
    following: Claim | None = first(hall)
    while claim := following:
        turns.append(claim.job.tenant)
        following = done(hall, claim)
        assert running(hall) == (held(following) if following else [])
    assert turns[:12].count("paid") == 8  # by its weight
    assert hall.lanes("tag FROM queues WHERE tenant = 'paid'") == [(4.0,)]
    assert hall.lanes("tag FROM queues WHERE tenant = 'a'") == [(8.0,)]
    attempts = hall.lanes("step, fence, outcome FROM attempts")
    assert len(attempts) == 16 and {one[1:] for one in attempts} == {(1, "skipped")}
    assert hall.next() is None


def test_what_it_took_counts_from_the_next_turn_on(hall: Hall) -> None:
    hall.plan("a", 3)
    hall.plan("b", 3)
    claim = first(hall)
    turns = [claim.job.tenant]
    for took in (100.0, 1.0, 1.0):
        following = done(hall, claim, took=took)
        assert following
        claim = following
        turns.append(claim.job.tenant)
    assert turns == ["a", "b", "b", "b"]


def test_without_a_wish_nothing_is_claimed(hall: Hall) -> None:
    hall.plan("a", 2)
    assert done(hall, first(hall), None) is None
    assert running(hall) == []


def test_tenants_and_pools_that_are_not_wished_for_are_left_to_others(hall: Hall) -> None:
    hall.plan("a", 3)
    assert done(hall, first(hall), Wish((Pool.IMAGE,), "w", ("a",))) is None
    assert done(hall, first(hall), Wish((Pool.AUDIO,), "w")) is None
    hall.catalog.pause(Pool.IMAGE, "as the test wants it")
    assert running(hall) == []


def test_a_pool_that_stands_still_gives_nothing(hall: Hall) -> None:
    hall.plan("a", 2)
    claim = first(hall)
    hall.catalog.pause(Pool.IMAGE, "as the test wants it")
    assert done(hall, claim) is None
    assert running(hall) == []


def test_who_was_overtaken_claims_nothing(hall: Hall) -> None:
    hall.plan("a", 2)
    claim = first(hall)
    hall.pipeline.release(claim.job, "released")
    again = first(hall)
    assert again.job.step_id == claim.job.step_id
    assert hall.pipeline.complete_and_claim(claim.job, NOTHING, 1.0, WISH) == (False, None)
    assert running(hall) == held(again)


def test_an_answer_that_was_lost_is_given_again_and_nothing_is_undone(hall: Hall) -> None:
    """The claim of which nobody heard is a lost attempt, as with a claim of its own."""
    hall.plan("a", 2)
    claim = first(hall)
    unheard = done(hall, claim)
    assert unheard
    assert hall.pipeline.complete_and_claim(claim.job, NOTHING, 1.0, WISH) == (True, None)
    assert running(hall) == held(unheard)
    hall.clock.advance(31)
    assert hall.pipeline.reconcile() == 1
    assert state(hall, unheard) in ("ready", "waiting")


def test_one_that_was_told_to_stop_claims_nothing(hall: Hall) -> None:
    hall.plan("a", 2)
    claim = first(hall)
    hall.catalog.cancel(claim.job.asset)
    assert hall.pipeline.complete_and_claim(claim.job, NOTHING, 1.0, WISH) == (True, None)
    assert state(hall, claim) == "cancelled"
    assert running(hall) == []


def test_what_becomes_ready_with_the_end_goes_out_at_once(hall: Hall) -> None:
    """It may go before all that is seen now, and others are to hear of it without delay."""
    key(hall, "one")
    asset = hall.catalog.assets(tenant="t", limit=1)[0][0]
    key(hall, "two", asset, after=("one",))
    hall.plan("other", 2, priority=BULK)
    claim = first(hall)
    assert claim.job.key == "one"
    assert done(hall, claim) is None
    following = first(hall)
    assert following.job.key == "two"
    assert done(hall, following)


@contextmanager
def undone_here(hall: Hall) -> Iterator[list[str]]:
    """The statements that undid something."""
    with hall.database.read() as tx:
        session = type(tx)
    seen, execute = list[str](), session.execute

    def watched(self: Session, statement: str, *args: Any) -> int:
        seen.extend([statement] * ("ROLLBACK" in statement))
        return execute(self, statement, *args)

    with mock.patch.object(session, "execute", watched):
        yield seen


def test_a_tenant_with_a_cap_is_counted_by_a_claim_of_its_own(hall: Hall) -> None:
    hall.plan("a", 1)
    claim = first(hall)
    hall.plan("capped", 2, priority=FAST)
    before = hall.lanes("tag, filled FROM queues WHERE tenant = 'capped'")
    with undone_here(hall) as undone:
        assert done(hall, claim) is None
    assert len(undone) == 1
    assert running(hall) == []
    assert hall.lanes("tag, filled FROM queues WHERE tenant = 'capped'") == before
    assert hall.lanes("attempts, fence FROM steps WHERE tenant = 'capped'") == [(0, 0), (0, 0)]
    assert first(hall).job.tenant == "capped"
    assert hall.next() is None


def test_after_one_in_vain_claims_of_their_own_go_first_for_a_while(hall: Hall) -> None:
    hall.plan("a", 4)
    claim = first(hall)
    hall.plan("capped", 1, priority=FAST)
    assert done(hall, claim) is None
    assert first(hall).job.tenant == "capped"
    assert done(hall, first(hall)) is None
    hall.clock.advance(1)
    assert done(hall, first(hall)) is not None


def test_a_provisional_build_that_comes_too_late_is_passed_over_by_a_claim_of_its_own(hall: Hall) -> None:
    hall.plan("a", 1)
    claim = first(hall)
    key(hall, "package.ready", priority=FAST)
    whole = first(hall)
    assert whole.job.key == "package.ready"
    key(hall, "package.first", hall.catalog.asset(whole.job.asset))
    assert done(hall, claim) is None
    assert hall.states(whole.job.asset)["package.first"] is StepState.READY
    assert hall.next() is None
    assert hall.states(whole.job.asset)["package.first"] is StepState.SKIPPED


@pytest.mark.parametrize("what", ["kind = 'telepathy'", "params = 'no JSON'"])
def test_a_step_that_cannot_be_read_is_seen_to_by_a_claim_of_its_own(hall: Hall, what: str) -> None:
    hall.plan("a", 1)
    claim = first(hall)
    hall.plan("b", 1)
    with hall.database.write() as tx:
        tx.execute(f"UPDATE steps SET {what} WHERE tenant = 'b'")
    assert done(hall, claim) is None
    assert hall.lanes("state, fence FROM steps WHERE tenant = 'b'") == [("ready", 0)]
    assert hall.next() is None
    assert hall.lanes("state, fence FROM steps WHERE tenant = 'b'") != [("ready", 0)]


@pytest.mark.parametrize("in_sql", [True, False])
def test_an_error_of_the_claim_undoes_the_claim_alone(hall: Hall, in_sql: bool) -> None:
    """Also with the last of its statements, after it has its step."""
    hall.plan("a", 3)
    claim = first(hall)

    def wrong(self: object, change: Change, row: object) -> Claim:
        if in_sql:
            change.tx.one("SELECT nothing_of_this_name")
        raise AssertionError("a mistake of ours")

    before = hall.lanes("tag FROM queues")
    with mock.patch("rushes.catalog.claiming.Claiming._read", wrong):
        assert done(hall, claim) is None
    assert running(hall) == []
    assert hall.lanes("count(*) FROM attempts") == [(1,)]
    assert hall.lanes("tag FROM queues") == before  # it took what was estimated
    assert first(hall).job.fence == 1


def test_a_connection_that_is_lost_while_it_is_undone_is_told_as_that(hall: Hall) -> None:
    """Who completes tries again then; of anything else the result would be lost."""
    hall.plan("a", 1)
    claim = first(hall)
    hall.plan("capped", 1, priority=FAST)
    with hall.database.read() as tx:
        session, execute = type(tx), type(tx).execute

    def away(self: Session, statement: str, *args: Any) -> int:
        if "ROLLBACK" in statement:
            raise DatabaseUnavailable("gone")
        return execute(self, statement, *args)

    with mock.patch.object(session, "execute", away), pytest.raises(DatabaseUnavailable, match="gone"):
        hall.pipeline.complete_and_claim(claim.job, NOTHING, 1.0, WISH)
    assert done(hall, claim) is None


def test_a_mistake_of_the_completion_is_told_as_it_is(hall: Hall) -> None:
    hall.plan("a", 2)
    claim, end = first(hall), steps.end_attempt

    def wrong(tx: Session, *args: object, **values: object) -> None:
        end(tx, *args, **values)  # type: ignore[arg-type] # handed on as it came
        tx.later("SELECT nothing_of_this_name")

    with mock.patch("rushes.catalog.steps.end_attempt", wrong), pytest.raises(Exception) as told:
        hall.pipeline.complete_and_claim(claim.job, NOTHING, 1.0, WISH)
    assert not isinstance(told.value, DatabaseUnavailable | AssertionError)
    assert "nothing_of_this_name" in str(told.value)
    assert running(hall) == held(claim)
    assert done(hall, claim)


def test_now_and_then_it_looks_first_at_what_waits_for_its_time(hall: Hall) -> None:
    hall.plan("late", 1)
    claim = first(hall)
    hall.pipeline.fail(claim.job, OOPS, Blame.TRANSIENT)
    hall.plan("a", 30)
    claim = first(hall)
    for _ in range(20):
        hall.clock.advance(10)
        following = done(hall, claim)
        assert following is None  # it is time to look
        claim = first(hall)
        if claim.job.tenant == "late":
            return
    raise AssertionError("it was not woken")


def test_nothing_starves(hall: Hall) -> None:
    hall.plan("archive", 1, priority=BULK)
    hall.clock.advance(901)
    hall.plan("busy", 3, priority=FAST)
    with mock.patch("random.random", return_value=0.2):
        following = done(hall, first(hall))
        assert following and following.job.tenant == "busy"
    with mock.patch("random.random", return_value=0.1):
        following = done(hall, following)
        assert following and following.job.tenant == "archive"


def test_nothing_starves_behind_slots_that_are_kept_for_what_is_urgent(hall: Hall) -> None:
    """Two tenants with a stream of urgent steps leave a worker no other slot for hours."""
    hall.plan("archive", 2, priority=BULK)
    hall.clock.advance(901)
    hall.plan("busy", 3, priority=FAST)
    urgent = replace(WISH, least=Class.FAST)
    with mock.patch("random.random", return_value=0.2):
        claim = hall.pipeline.claim((Pool.IMAGE,), "w", least=Class.FAST)
        assert claim and claim.job.tenant == "busy"
    with mock.patch("random.random", return_value=0.1):
        following = done(hall, claim, urgent)
        assert following and following.job.tenant == "archive"
    hall.clock.advance(10)
    with mock.patch("random.random", return_value=0.2):
        claim = hall.pipeline.claim((Pool.IMAGE,), "w", least=Class.FAST)
        assert claim and claim.job.tenant == "busy"
    hall.clock.advance(895)
    with mock.patch("random.random", return_value=0.1):
        claim = hall.pipeline.claim((Pool.IMAGE,), "w", least=Class.FAST)
        assert claim and claim.job.tenant == "archive"


def test_an_old_lane_with_nothing_in_it_is_shut_by_its_turn(hall: Hall) -> None:
    hall.plan("gone", 1, priority=BULK)
    asset = hall.catalog.assets(tenant="gone", limit=1)[0][0]
    hall.catalog.cancel(asset.id)
    hall.clock.advance(901)
    hall.plan("busy", 2)
    with mock.patch("random.random", return_value=0.2):
        claim = first(hall)
    assert hall.lanes("open FROM queues WHERE tenant = 'gone'") == [(1,)]
    with mock.patch("random.random", return_value=0.1):
        following = done(hall, claim)
    assert following and following.job.tenant == "busy"
    assert hall.lanes("open FROM queues WHERE tenant = 'gone'") == [(0,)]


def test_it_saves_a_transaction(hall: Hall) -> None:
    hall.plan("a", 2)
    claim, begun, write = first(hall), list[int](), hall.database.write

    def counted() -> object:
        begun.append(1)
        return write()

    with mock.patch.object(hall.database, "write", counted):
        assert done(hall, claim)
    assert len(begun) == 1


# -- several processes, on PostgreSQL ----------------------------------------------------------------------------------


@pytest.fixture
def site(postgres: Postgres) -> Iterator[Site]:
    url = postgres.fresh()
    made = Site(url)
    yield made
    made.database.close()
    postgres.drop(url)


def plan(site: Site, tenants: int, count: int) -> None:
    for number in range(tenants):
        asset = site.catalog.asset(site.upload(f"tenant-{number}"))
        specs = [
            StepSpec(key=f"lint.{one}", kind=StepKind.POSTER, pool=pool, priority=NORMAL, required=False)
            for one in range(count)
            for pool in ((Pool.IMAGE, Pool.VIDEO)[one % 2],)
        ]
        with site.store.change() as change:
            change.add_steps(asset, specs)


def test_six_at_once_do_each_step_once_and_wait_in_no_circle(site: Site) -> None:
    """Lanes of several tenants and pools are charged, corrected and shut by all of them, in one order."""
    plan(site, 12, 10)
    wishes = [Wish((Pool.IMAGE, Pool.VIDEO)[:: 1 - 2 * (number % 2)], f"w{number}") for number in range(6)]

    def work(number: int) -> list[tuple[str, bool]]:
        found, claim = list[tuple[str, bool]](), site.pipeline.claim(wishes[number].pools, wishes[number].worker)
        while claim:
            counted, following = site.pipeline.complete_and_claim(claim.job, NOTHING, 0.1, wishes[number])
            assert counted
            found.append((claim.job.step_id, following is not None))
            claim = following or site.pipeline.claim(wishes[number].pools, wishes[number].worker)
        return found

    with mock.patch("rushes.catalog.claiming.AGAIN_AFTER", 1e9):
        found = [one for some in together(6, work) for one in some]
    assert len(found) == len({step for step, _ in found}) == 120
    assert any(passing for _, passing in found)
    site.check()


def test_the_end_that_is_written_by_others_meanwhile_is_not_waited_for(site: Site) -> None:
    """A claim in passing takes only what nobody holds."""
    plan(site, 2, 2)
    claim = site.pipeline.claim(WISH.pools, "w")
    assert claim is not None
    other = site.rows(f"SELECT asset FROM steps WHERE asset <> '{claim.job.asset}' AND pool = 'image' LIMIT 1")[0]
    with site.database.write() as tx:
        tx.one(f"SELECT id FROM assets WHERE id = :id{tx.lock}", {"id": other["asset"]})
        (ended,) = together(1, lambda _: site.pipeline.complete_and_claim(claim.job, NOTHING, 0.1, WISH))
    assert ended == (True, None)


def test_beats_cancels_and_chains_of_claims_do_not_hurt_each_other(site: Site) -> None:
    plan(site, 3, 30)
    assets = [row["asset"] for row in site.rows("SELECT DISTINCT asset FROM steps ORDER BY asset")]

    def work(number: int) -> int:
        if number == 0:
            return sum(site.pipeline.wake() for _ in rounds(0.2))
        if number == 1:
            site.catalog.cancel(str(assets[0]))
            return 0
        wish, ended = Wish((Pool.IMAGE, Pool.VIDEO), f"w{number}"), 0
        claim = site.pipeline.claim(wish.pools, wish.worker)
        while claim:
            counted, following = site.pipeline.complete_and_claim(claim.job, NOTHING, 0.1, wish)
            ended += counted
            claim = following or site.pipeline.claim(wish.pools, wish.worker)
        return ended

    together(5, work)
    site.check()
    left = site.rows(
        "SELECT count(*) AS n FROM steps WHERE state IN ('ready', 'running') AND pool IN ('image', 'video')"
    )
    assert left == [{"n": 0}]


def test_the_lane_is_taken_with_the_commit_and_not_before(site: Site) -> None:
    plan(site, 1, 8)
    claim = site.pipeline.claim(WISH.pools, "w")
    assert claim is not None
    seen = list[int]()
    charge = queue.charge

    def watched(tx: Session, *args: object) -> None:
        with site.database.write() as other:  # somebody else takes the lane meanwhile, and does not wait
            other.execute("SET LOCAL lock_timeout = '100ms'")
            seen.append(other.execute("UPDATE queues SET since = since WHERE pool = 'image'"))
        charge(tx, *args)  # type: ignore[arg-type] # handed on as it came

    with mock.patch("rushes.catalog.queue.charge", watched):
        counted, following = site.pipeline.complete_and_claim(claim.job, NOTHING, 0.1, WISH)
    assert counted and following and seen == [1]
