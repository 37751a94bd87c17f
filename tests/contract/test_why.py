"""What an asset waits for and until when, on each database: the exact blocker, not a guess."""

from __future__ import annotations

import pytest

from rushes.catalog import sampling, workforce
from rushes.catalog.costs import Costs
from rushes.catalog.why import Explanation, span
from rushes.engine.cost import SEEN_ENOUGH, Seen
from rushes.errors import Blame
from rushes.model import ChecksumResult
from rushes.states import Pool, StepKind
from tests.contract.parallel import PROBED
from tests.contract.shop import OOPS, Shop


def report(shop: Shop, worker: str = "w1", **said: object) -> None:
    values = {"pools": tuple(Pool), "slots": 1, "cores": 2.0, **said}
    with shop.database.write() as tx:
        workforce.report(tx, worker, workforce.Presence.model_validate(values), shop.clock.now())


def ask(shop: Shop, asset: str) -> Explanation:
    """By a sample of now."""
    shop.clock.advance(sampling.EVERY)
    if said := shop.catalog.fleet().workers:
        with shop.database.write() as tx:
            tx.execute("UPDATE workers SET seen_at = :now", {"now": shop.clock.now()})
        assert said
    return shop.catalog.explain(asset)


def change(shop: Shop, statement: str, **values: object) -> None:
    with shop.database.write() as tx:
        assert tx.execute(statement, values)


def planned(shop: Shop, tenant: str = "default") -> str:
    """An asset whose whole graph is planned; nothing of it runs."""
    asset = shop.upload(tenant)
    shop.do("probe", PROBED)
    return asset.id


def test_nobody_serves_the_pool(shop: Shop) -> None:
    found = ask(shop, planned(shop))
    assert (found.blocker.code, found.eta, found.until) == ("no_worker", None, "ready")
    assert found.blocker.pool in found.why


def test_all_workers_of_the_pool_are_cordoned(shop: Shop) -> None:
    asset = planned(shop)
    report(shop, state="cordoned")
    assert ask(shop, asset).blocker.code == "workers_cordoned"


def test_the_pool_is_paused_and_why(shop: Shop) -> None:
    asset = planned(shop)
    report(shop)
    for pool in Pool:
        with shop.database.write() as tx:
            tx.execute(
                "INSERT INTO pools (pool, paused, reason, changed_at) VALUES (:pool, 1, 'new disks', 0)",
                {"pool": pool.value},
            )
    found = ask(shop, asset)
    assert (found.blocker.code, found.eta) == ("pool_paused", None)
    assert "new disks" in found.why


def test_no_release_knows_the_step(shop: Shop) -> None:
    asset = planned(shop)
    report(shop)
    change(shop, "UPDATE steps SET version = 99 WHERE asset = :asset AND state = 'ready'", asset=asset)
    assert ask(shop, asset).blocker.code == "newer_release"


def test_a_free_slot_and_when_it_will_be_done(shop: Shop) -> None:
    asset = planned(shop)
    report(shop)
    found = ask(shop, asset)
    assert found.blocker.code == "starting"
    assert found.eta is not None
    assert found.eta.confidence == "low"  # nothing was learned yet
    assert found.why.endswith("confidence low).")


def test_with_history_it_is_surer(shop: Shop) -> None:
    asset = planned(shop)
    report(shop)
    before = ask(shop, asset).eta
    with shop.database.read() as tx:
        kinds = tx.all("SELECT kind, cost FROM steps WHERE asset = :asset", {"asset": asset})
    history = Costs()
    for row in kinds:
        for _ in range(SEEN_ENOUGH):
            history.note(Seen(StepKind(row["kind"]), {}, row["cost"], row["cost"], row["cost"]))
    history.exchange(shop.database)
    after = ask(shop, asset).eta
    assert before is not None and after is not None
    assert after.confidence == "high"
    assert after.latest - after.earliest < before.latest - before.earliest


def test_encodes_that_an_analysis_has_still_to_plan_are_reckoned_with(shop: Shop) -> None:
    asset = planned(shop)
    report(shop)
    change(
        shop,
        "UPDATE steps SET kind = 'analyze', key = 'analyze', required = 0, cost = 10, factor = 1"
        " WHERE asset = :asset AND key = 'encode.0'",
        asset=asset,
    )
    found = ask(shop, asset)
    assert found.until == "ready"
    assert found.eta is not None and found.eta.seconds >= 10 + 4 * 10
    assert found.blocker.step == "analyze"


def test_what_follows_the_build_does_not_make_it_ready_later(shop: Shop) -> None:
    asset = planned(shop)
    report(shop)
    before = ask(shop, asset).eta
    for key in ("verdict.ready", "storyboard"):
        change(
            shop, "UPDATE steps SET cost = 1000, factor = 1 WHERE asset = :asset AND key = :key", asset=asset, key=key
        )
    assert ask(shop, asset).eta == before
    change(shop, "UPDATE steps SET cost = 1000, factor = 1 WHERE asset = :asset AND key = 'audio'", asset=asset)
    after = ask(shop, asset).eta
    assert before and after and after.seconds > 1000 > before.seconds


def test_running_says_how_far_it_is(shop: Shop) -> None:
    asset = planned(shop)
    report(shop)
    job = shop.take("encode.0").job
    shop.pipeline.renew(job, 0.4)
    found = ask(shop, asset)
    assert found.blocker.code == "running"
    assert found.why.startswith("Running: encode.0 (40%).")


def test_a_worker_that_went_silent(shop: Shop) -> None:
    asset = planned(shop)
    report(shop)
    shop.take("encode.0")
    change(shop, "UPDATE steps SET lease_expires = :at WHERE key = 'encode.0'", at=shop.clock.now() - 7)
    assert ask(shop, asset).blocker.code == "worker_silent"


def test_a_failed_attempt_is_repeated_later_and_the_code_is_said(shop: Shop) -> None:
    asset = planned(shop)
    report(shop)
    job = shop.take("encode.0").job
    shop.pipeline.fail(job, OOPS, Blame.TRANSIENT)
    change(shop, "UPDATE steps SET not_before = :at WHERE key = 'encode.0'", at=shop.clock.now() + 300)
    found = ask(shop, asset)
    assert (found.blocker.code, found.blocker.step) == ("backing_off", "encode.0")
    assert OOPS.code in found.why
    assert found.eta is not None and found.eta.seconds > 250


def test_more_urgent_work_goes_first_and_takes_its_time(shop: Shop) -> None:
    asset = planned(shop)
    report(shop)
    busy(shop)
    idle = ask(shop, asset).eta
    other = planned(shop, "other")
    change(shop, "UPDATE steps SET class = 3, cost = 500 WHERE asset = :asset AND kind = 'encode'", asset=other)
    found = ask(shop, asset)
    assert (found.blocker.code, found.blocker.pool) == ("more_urgent", "video")
    assert idle is not None and found.eta is not None
    assert found.eta.seconds > idle.seconds + 200  # 500 CPU seconds by two cores


def busy(shop: Shop) -> None:
    """The one slot of the worker is taken by something else."""
    third = planned(shop, "third")
    change(
        shop, "UPDATE steps SET state = 'running', lease_owner = 'w1', lease_expires = :far, progress = 0 WHERE id ="
        " (SELECT id FROM steps WHERE asset = :asset AND kind = 'encode' LIMIT 1)", asset=third, far=shop.clock.now() + 1e6,
    )  # fmt: skip


def test_pulls_take_no_slot_of_other_short_steps(shop: Shop) -> None:
    """A pull waits for a network, perhaps for hours."""
    pulls = [shop.upload(f"tenant-{number}").id for number in range(3)]
    asset = shop.upload()
    report(shop)
    for other in pulls:
        change(
            shop, "UPDATE steps SET pool = 'pull', state = 'running', lease_owner = 'w1', lease_expires = :far"
            " WHERE asset = :asset AND kind = 'probe'", asset=other, far=shop.clock.now() + 1e6,
        )  # fmt: skip
    assert ask(shop, asset.id).blocker.code == "starting"


def test_its_turn_beside_others_of_its_class(shop: Shop) -> None:
    first = planned(shop)
    shop.clock.advance(1)
    second = planned(shop)
    for number in range(2):  # the second one's encode waits for it: it may have been done before
        shop.do("checksum", ChecksumResult(sha256=str(number) * 64))
    report(shop)
    busy(shop)
    change(shop, "UPDATE steps SET cost = 90 WHERE asset = :asset AND kind = 'encode'", asset=first)
    found = ask(shop, second)
    assert found.blocker.code == "turn"
    assert "1 steps of its own go before it" in found.why


def test_a_tenant_at_its_cap(shop: Shop) -> None:
    asset = planned(shop)
    report(shop)
    change(shop, "UPDATE queues SET filled = 1 WHERE pool = 'video'")
    assert ask(shop, asset).blocker.code == "tenant_cap"


def test_a_cap_opens_when_one_of_its_own_steps_ends(shop: Shop) -> None:
    asset = planned(shop)
    report(shop, slots=8, cores=8.0)
    shop.do("checksum", ChecksumResult(sha256="0" * 64))
    before = ask(shop, asset).eta
    other = shop.upload()
    assert shop.take("checksum").job.asset == other.id
    change(
        shop,
        "UPDATE steps SET pool = 'video', cost = 90, factor = 1, started_at = :now, lease_expires = :far"
        " WHERE state = 'running'", now=shop.clock.now(), far=shop.clock.now() + 1e6,
    )  # fmt: skip
    change(shop, "UPDATE queues SET filled = 1 WHERE pool = 'video'")
    after = ask(shop, asset).eta
    assert before is not None and after is not None
    assert after.seconds >= before.seconds + 40


def test_before_the_probe_nobody_knows_how_long_it_takes(shop: Shop) -> None:
    asset = shop.upload()
    report(shop)
    found = ask(shop, asset.id)
    assert (found.blocker.code, found.eta) == ("starting", None)


def test_what_is_over_waits_for_nothing(shop: Shop) -> None:
    asset = shop.upload()
    shop.catalog.cancel(asset.id)
    found = ask(shop, asset.id)
    assert (found.blocker.code, found.until, found.eta) == ("failed", "", None)
    shop.catalog.delete(asset.id)
    assert ask(shop, asset.id).blocker.code == "deleted"


@pytest.mark.parametrize(("seconds", "text"), [(0, "0 s"), (59, "59 s"), (90, "1.5 min"), (7200, "2.0 h")])
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text
