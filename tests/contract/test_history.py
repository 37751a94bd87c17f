"""History that is folded away after an operator's days, on each database: what others need of it stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rushes.catalog import history, ledger, steps, tallies
from rushes.catalog.sqlite import SqliteDatabase
from rushes.catalog.telling import Folded, Happening
from rushes.engine.bundle import Bundle
from rushes.errors import Blame, NotFound
from rushes.model import Asset, ChecksumResult, ProbeResult
from rushes.states import AssetState, Pool, StepKind, StepState
from tests.contract.shop import FACTS, OOPS, PLAN, Shop
from tests.contract.test_catalog_plans import Planned
from tests.contract.test_encodes import finish, ready
from tests.contract.test_old_builds import finish as with_captions
from tests.contract.test_old_builds import places
from tests.contract.test_operations import work_off

DAY = 86_400.0
KEEP = 30.0


@pytest.fixture
def told(shop: Shop) -> Iterator[list[Happening]]:
    found: list[Happening] = []
    object.__setattr__(shop.catalog._store, "tell", found.append)
    yield found


def fold(shop: Shop, days: float = KEEP) -> None:
    """The ledger's round, and then as many of this as there is work for."""
    shop.clock.advance(ledger.EVERY + ledger.LAG)
    ledger.roll(shop.catalog._store, "w1")
    for _ in range(20):
        shop.clock.advance(history.EVERY + 1)
        shop.pipeline.fold_history("w1", days)
    shop.clock.advance(history.REST)


def count(shop: Shop, table: str) -> int:
    with shop.database.read() as tx:
        found = tx.one(f"SELECT count(*) AS n FROM {table}")
    return int(found["n"]) if found else 0


def with_trouble(shop: Shop) -> Asset:
    """Ready, after an attempt that failed and one that was lost."""
    asset = shop.upload()
    assert shop.pipeline.fail(shop.take("probe").job, OOPS, Blame.TRANSIENT, cpu_seconds=0.5, moved=(9, 2))
    shop.clock.advance(400)
    shop.probe()
    finish(shop)
    shop.clock.advance(60)
    return shop.catalog.asset(asset.id)


def test_nothing_goes_unless_somebody_says_after_how_many_days(shop: Shop) -> None:
    with_trouble(shop)
    before = count(shop, "attempts")
    shop.clock.advance(1000 * DAY)
    fold(shop, -1.0)
    assert count(shop, "attempts") == before


def test_attempts_go_after_their_days_and_not_before(shop: Shop, told: list[Happening]) -> None:
    with_trouble(shop)
    before = count(shop, "attempts")
    shop.clock.advance((KEEP - 1) * DAY)
    fold(shop)
    assert count(shop, "attempts") == before
    shop.clock.advance(2 * DAY)
    told.clear()
    fold(shop)
    assert count(shop, "attempts") == 0
    assert sum(one.attempts for one in told if isinstance(one, Folded)) == before


def test_what_was_used_is_told_as_before(shop: Shop) -> None:
    asset = with_trouble(shop)
    shop.clock.advance(KEEP * DAY + 1)
    days = ("2000-01-01", "2999-12-31")
    before = [shop.catalog.ledger("kind", days).entries, shop.catalog.cost(asset.id)]
    mine = [shop.catalog.asset_ledger(asset.id, by).entries for by in ("kind", "rendition")]
    fold(shop)
    assert count(shop, "attempts") == 0
    assert [shop.catalog.ledger("kind", days).entries, shop.catalog.cost(asset.id)] == before
    assert [shop.catalog.asset_ledger(asset.id, by).entries for by in ("kind", "rendition")] == mine
    assert mine[0]["probe"].wasted_cpu_seconds == 0.5


def test_it_is_added_to_what_was_folded_before(shop: Shop) -> None:
    asset = with_trouble(shop)
    shop.clock.advance(KEEP * DAY + 1)
    fold(shop)
    shop.catalog.retry(asset.id, from_step="encode.0")
    work_off(shop)
    before = shop.catalog.asset_ledger(asset.id, "kind").entries
    shop.clock.advance(KEEP * DAY + 1)
    fold(shop)
    after = shop.catalog.asset_ledger(asset.id, "kind").entries
    assert {name: round(one.cpu_seconds, 6) for name, one in after.items()} == {
        name: round(one.cpu_seconds, 6) for name, one in before.items()
    }


def test_what_the_ledger_has_not_seen_yet_stays(shop: Shop) -> None:
    with_trouble(shop)
    before = count(shop, "attempts")
    shop.clock.advance(KEEP * DAY + 1)
    for _ in range(3):
        shop.clock.advance(history.EVERY + 1)
        shop.pipeline.fold_history("w1", KEEP)
    assert count(shop, "attempts") == before


def test_what_has_to_be_tidied_up_first_is(shop: Shop) -> None:
    with_trouble(shop)
    shop.clock.advance(KEEP * DAY + 1)
    assert shop.pipeline.housekeep(-1.0) == 1  # the cleanup of what was lost is planned
    before = count(shop, "attempts")
    fold(shop)
    assert count(shop, "attempts") == before


def test_an_asset_at_work_keeps_all_of_it(shop: Shop) -> None:
    asset = shop.upload()
    assert shop.pipeline.fail(shop.take("probe").job, OOPS, Blame.TRANSIENT)
    shop.clock.advance(KEEP * DAY + 1)
    fold(shop)
    assert count(shop, "attempts") == 1
    # And where the others around it go, it is seen again once it is done
    shop.probe()
    finish(shop)
    shop.clock.advance(KEEP * DAY + 1)
    fold(shop)
    assert count(shop, "attempts") == 0
    assert shop.catalog.asset(asset.id).state is AssetState.READY


def test_evidence_against_a_step_that_is_tried_again_is_not_lost(shop: Shop) -> None:
    """Something else of its asset has ended; it waits, at last for so long that its first attempts are old."""
    asset = shop.upload()
    shop.do("checksum", ChecksumResult(sha256="0" * 64))
    for _ in range(2):
        shop.clock.advance(400)
        assert shop.pipeline.fail(shop.take("probe").job, OOPS, Blame.POISON)
    shop.clock.advance(KEEP * DAY + 1)
    fold(shop)
    assert shop.pipeline.fail(shop.take("probe").job, OOPS, Blame.POISON)
    assert [one.asset for one in shop.catalog.quarantine()] == [asset.id]


def test_an_old_build_that_is_still_played_is_not_forgotten(shop: Shop) -> None:
    """A step that is done again after its attempt was folded: what it gave before stands all the same."""
    asset = ready(shop)
    with shop.database.read() as tx:
        old = tx.one("SELECT result FROM steps WHERE asset = :id AND key = 'package.ready'", {"id": asset.id})
    shop.clock.advance(KEEP * DAY + 1)
    fold(shop)
    shop.catalog.retry(asset.id, from_step="encode.0")
    work_off(shop)
    shop.clock.advance(KEEP * DAY + 1)
    fold(shop)
    with shop.database.read() as tx:
        kept = [row["result"] for row in tx.all("SELECT result FROM attempts")]
    assert old is not None and old["result"] in kept
    assert shop.catalog.asset(asset.id).published_build > asset.published_build
    # Once more, from what is there
    shop.catalog.retry(asset.id, from_step="encode.0")
    work_off(shop)
    assert shop.catalog.asset(asset.id).state is AssetState.READY


def test_places_of_old_builds_stay_known(shop: Shop) -> None:
    asset = shop.upload()
    shop.probe()
    with_captions(shop, failing="storyboard")
    first = places(shop, asset.id)
    shop.clock.advance(KEEP * DAY + 1)
    fold(shop)
    assert places(shop, asset.id) == first
    shop.catalog.retry(asset.id)
    with_captions(shop)
    shop.clock.advance(KEEP * DAY + 1)
    fold(shop)
    assert len(first) == 1 and first < places(shop, asset.id)


def test_each_cleanup_of_lost_attempts_has_a_name_of_its_own(shop: Shop) -> None:
    asset = with_trouble(shop)
    assert shop.pipeline.housekeep(-1.0) == 1
    work_off(shop)
    shop.clock.advance(KEEP * DAY + 1)
    fold(shop)
    shop.catalog.retry(asset.id, from_step="encode.0")
    assert shop.pipeline.fail(shop.take("encode.0").job, OOPS, Blame.TRANSIENT)
    work_off(shop)
    assert shop.pipeline.housekeep(-1.0) == 1
    names = [key for key in shop.states(asset.id) if key.startswith("cleanup.losers")]
    assert len(names) == 2
    with shop.database.read() as tx:
        assert steps.losers(tx, asset.id) == 2


def test_of_what_is_deleted_the_tombstone_stays_alone(shop: Shop, told: list[Happening]) -> None:
    asset, other = with_trouble(shop), ready(shop)
    cost = shop.catalog.cost(asset.id)["cpu_seconds"]
    shop.catalog.delete(asset.id)
    work_off(shop)
    before = shop.catalog.asset_ledger(asset.id, "kind").entries
    shop.clock.advance((KEEP - 1) * DAY)
    fold(shop)
    assert shop.states(asset.id) != {}
    shop.clock.advance(2 * DAY)
    told.clear()
    fold(shop)
    assert shop.states(asset.id) == {} and shop.states(other.id) != {}
    assert sum(one.steps for one in told if isinstance(one, Folded)) > 5
    assert shop.catalog.asset(asset.id).state is AssetState.DELETED
    assert shop.catalog.cost(asset.id)["cpu_seconds"] >= cost
    assert shop.catalog.asset_ledger(asset.id, "kind").entries == before
    # A takedown once more, and an audit's, still find their way
    shop.catalog.converge(asset.id)
    work_off(shop)


def test_a_takedown_that_failed_is_not_forgotten(shop: Shop) -> None:
    """Its objects may be there still: somebody has to see that."""
    asset = shop.upload()
    shop.catalog.delete(asset.id)
    claim = shop.claim()
    assert claim.job.kind is StepKind.CLEANUP
    assert shop.pipeline.fail(claim.job, OOPS, Blame.PERMANENT)
    work_off(shop)
    shop.clock.advance(KEEP * DAY + 1)
    fold(shop)
    assert StepState.FAILED in shop.states(asset.id).values()


def test_a_zombie_of_what_is_gone_changes_nothing(shop: Shop) -> None:
    asset = shop.upload()
    zombie = shop.take("probe").job
    shop.catalog.delete(asset.id)
    shop.clock.advance(40)
    shop.pipeline.reconcile()
    work_off(shop)
    shop.clock.advance(KEEP * DAY + 1)
    fold(shop)
    assert shop.states(asset.id) == {}
    assert not shop.pipeline.complete(zombie, shop_probe(), 1.0)
    assert not shop.pipeline.fail(zombie, OOPS, Blame.TRANSIENT)
    assert shop.pipeline.renew(zombie, 0.5) == "fenced"


def shop_probe() -> ProbeResult:
    return ProbeResult(facts=FACTS, plan=PLAN)


def test_copies_that_were_counted_stay_counted(shop: Shop) -> None:
    asset = with_trouble(shop)
    with shop.database.write() as tx:
        tx.execute("UPDATE steps SET avoided = 7 WHERE asset = :id AND key = 'encode.0'", {"id": asset.id})
    before = avoided(shop)
    saved = shop.catalog.cost(asset.id)["avoided_cpu_seconds"]
    shop.catalog.delete(asset.id)
    work_off(shop)
    shop.clock.advance(KEEP * DAY + 1)
    fold(shop)
    assert shop.states(asset.id) == {}
    assert avoided(shop) == before == {"encode": (1, 7.0)}
    assert shop.catalog.cost(asset.id)["avoided_cpu_seconds"] == saved == 7.0


def avoided(shop: Shop) -> dict[str, tuple[int, float]]:
    with shop.database.read() as tx:
        rows = tx.all(tallies.COUNTED[tallies.AVOIDED])
    return {row["key"]: (row["n"], row["cpu"]) for row in rows}


@pytest.mark.parametrize("released", [False, True])
def test_bundles_go_once_they_were_answered(shop: Shop, *, released: bool) -> None:
    asset = with_trouble(shop)
    with shop.database.write() as tx:
        row = tx.one("SELECT id FROM steps WHERE asset = :id AND key = 'encode.0'", {"id": asset.id})
        assert row is not None
        bundle = Bundle(step=row["id"], asset=asset.id, key="encode.0", kind="encode", release="1", graph=1, tool="t")
        tx.execute(
            "INSERT INTO quarantine (step, asset, tenant, at, reason_code, bundle, released_at)"
            " VALUES (:step, :asset, 'default', 1, 'worker_lost', :bundle, :released)",
            {
                "step": row["id"],
                "asset": asset.id,
                "bundle": bundle.model_dump_json(),
                "released": 2.0 if released else None,
            },
        )
    shop.clock.advance(KEEP * DAY + 1)
    fold(shop)
    assert count(shop, "quarantine") == (0 if released else 1)
    shop.catalog.delete(asset.id)
    work_off(shop)
    shop.clock.advance(KEEP * DAY + 1)
    fold(shop)
    assert count(shop, "quarantine") == 0
    with pytest.raises(NotFound):
        shop.catalog.quarantined(row["id"])


def test_a_step_set_aside_and_what_it_died_of_are_still_told(shop: Shop) -> None:
    """The step of a failed asset stays, with its reason; what each attempt said is gone, and a retry starts fresh."""
    asset = shop.upload()
    for _ in range(3):
        shop.clock.advance(400)
        assert shop.pipeline.fail(shop.take("probe").job, OOPS, Blame.TRANSIENT)
    assert shop.catalog.asset(asset.id).state is AssetState.FAILED
    shop.clock.advance(KEEP * DAY + 1)
    fold(shop)
    assert count(shop, "attempts") == 0
    (probe,) = (step for step in shop.catalog.steps(asset.id) if step.key == "probe")
    assert (probe.state, probe.attempts, probe.reason) == (StepState.FAILED, 3, OOPS)
    shop.catalog.retry(asset.id)
    shop.probe()
    finish(shop)
    assert shop.catalog.asset(asset.id).state is AssetState.READY


def test_more_than_a_round_takes_is_taken_in_rounds_by_whoever_comes(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        ready(shop)
        shop.clock.advance(1)
    monkeypatch.setattr(history, "BATCH", 3)
    shop.clock.advance(KEEP * DAY + 1)
    ledger.roll(shop.catalog._store, "w1")
    before = count(shop, "attempts")
    shop.pipeline.fold_history("w1", KEEP)
    after = count(shop, "attempts")
    assert 0 < after < before
    shop.pipeline.fold_history("w2", KEEP)  # at once: it is w1's for some seconds
    assert count(shop, "attempts") == after
    for name in ("w2", "w1", "w3", "w2", "w1", "w2"):
        shop.clock.advance(history.EVERY + 1)
        shop.pipeline.fold_history(name, KEEP)
    assert count(shop, "attempts") == 0


def test_a_round_that_takes_long_ends_where_it_is(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        ready(shop)
        shop.clock.advance(1)
    monkeypatch.setattr(history, "SECONDS", -1.0)
    shop.clock.advance(KEEP * DAY + 1)
    ledger.roll(shop.catalog._store, "w1")
    left = [count(shop, "attempts")]
    for _ in range(3):
        shop.clock.advance(history.EVERY + 1)
        shop.pipeline.fold_history("w1", KEEP)
        left.append(count(shop, "attempts"))
    assert left == [3 * left[2], 2 * left[2], left[2], 0]


def test_it_goes_by_an_index(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "c.db")
    database.migrate()
    planned = Planned(tmp_path / "c.db")
    history._next(planned, 0.0, 1.0)  # type: ignore[arg-type] # reads only
    history._attempts(planned, "a", 1.0)  # type: ignore[arg-type]
    history._last(planned, "a")  # type: ignore[arg-type]
    history.oldest(planned)  # type: ignore[arg-type]
    database.close()
    ways = " ".join(planned.steps)
    assert "attempts_ended (finished_at>? AND finished_at<?)" in ways
    assert not [way for way in planned.steps if way.startswith("SCAN") and "attempts_ended" not in way]


def test_others_work_on_beside_it(shop: Shop) -> None:
    """What is open when it comes by stays whole: claims, ends and fences are as ever."""
    done, open_ = ready(shop), shop.upload()
    shop.clock.advance(KEEP * DAY + 1)
    held = shop.take("probe").job
    fold(shop)
    assert shop.pipeline.complete(held, shop_probe(), 1.0)
    finish(shop)
    assert shop.catalog.asset(open_.id).state is AssetState.READY
    assert shop.states(done.id)["encode.0"] is StepState.DONE
    assert shop.pipeline.claim(tuple(Pool), "w9") is None
