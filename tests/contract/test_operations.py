"""What operators do, on each database: a class for an asset, a pool that stands still, a step that is done once more."""

from __future__ import annotations

import pytest

from rushes.catalog.change import Store
from rushes.engine.classes import Class
from rushes.errors import Blame, Conflict, NotFound
from rushes.model import Asset, CleanupResult, LintResult, ProbeResult, Skipped, StepSpec, TracksResult
from rushes.states import AssetState, Pool, Publication, StepKind, StepState
from tests.contract.shop import FACTS, OOPS, PLAN, Shop
from tests.contract.test_catalog_faults import finish
from tests.contract.test_encodes import QUIET, answer, ready
from tests.contract.test_given_up import LOOK

LATER = 400.0


def classes(shop: Shop, asset: Asset) -> dict[str, tuple[int, int]]:
    """Key -> class and priority of the steps that are not over."""
    with shop.database.read() as tx:
        rows = tx.all(
            "SELECT key, class, priority FROM steps WHERE asset = :id AND state IN ('waiting', 'ready', 'running')",
            {"id": asset.id},
        )
    return {row["key"]: (row["class"], row["priority"]) for row in rows}


def order(shop: Shop, count: int) -> list[str]:
    """Assets whose steps are claimed next."""
    return [shop.claim().job.asset for _ in range(count)]


# -- classes ----------------------------------------------------------------------------------------------------------


def test_an_asset_in_bulk_gives_way_with_all_that_is_planned_of_it(shop: Shop) -> None:
    first = shop.upload()
    shop.probe()
    before = classes(shop, first)
    assert shop.catalog.set_class(first.id, Class.BULK).priority == -100
    assert {found for found, _ in classes(shop, first).values()} == {Class.BULK}
    shop.clock.advance(1)
    second = shop.upload()
    assert order(shop, 2) == [second.id, second.id]
    # And back
    shop.catalog.set_class(first.id, Class.NORMAL)
    assert classes(shop, first) == before


def test_what_is_planned_later_goes_by_the_class_too(shop: Shop) -> None:
    asset = shop.upload()
    shop.catalog.set_class(asset.id, Class.BULK)
    shop.probe()
    assert {found for found, _ in classes(shop, asset).values()} == {Class.BULK}


def test_what_is_hurried_goes_before_others_of_its_kind(shop: Shop) -> None:
    first, second = shop.upload("a"), shop.upload("b")
    for _ in range(2):
        shop.probe()
    shop.catalog.set_class(second.id, Class.FAST)
    claims = [shop.claim(Pool.VIDEO).job for _ in range(2)]
    assert [job.asset for job in claims] == [second.id, first.id]


def test_a_takedown_keeps_its_place(shop: Shop) -> None:
    asset = shop.upload()
    shop.catalog.delete(asset.id)
    shop.catalog.set_class(asset.id, Class.BULK)
    assert all(found == Class.FAST for found, _ in classes(shop, asset).values())


def test_a_class_is_set_once(shop: Shop) -> None:
    asset = shop.upload()
    once = shop.catalog.set_class(asset.id, Class.ENRICH)
    assert shop.catalog.set_class(asset.id, Class.ENRICH).revision == once.revision
    with pytest.raises(NotFound):
        shop.catalog.set_class("nothing", Class.FAST)


# -- pools ------------------------------------------------------------------------------------------------------------


def test_a_pool_that_is_paused_begins_nothing_and_goes_on_afterwards(shop: Shop) -> None:
    shop.upload()
    shop.probe()
    running = shop.claim(Pool.VIDEO).job
    shop.upload("b")
    shop.probe()
    state = shop.catalog.pause(Pool.VIDEO, "a bad driver")
    assert (state.paused, state.reason) == (True, "a bad driver")
    assert shop.pipeline.claim((Pool.VIDEO,), "w1") is None
    assert shop.pipeline.claim((Pool.VIDEO, Pool.AUDIO), "w1") is not None  # others go on
    assert shop.pipeline.complete(running, Skipped(reason=OOPS), 0.1)  # and so does what runs
    shop.rings.clear()
    assert not shop.catalog.resume(Pool.VIDEO).paused
    assert {Pool.VIDEO} in shop.rings
    assert shop.pipeline.claim((Pool.VIDEO,), "w1") is not None
    assert [(one.pool, one.paused) for one in shop.catalog.pool_states()] == [("video", False)]


# -- once more --------------------------------------------------------------------------------------------------------


def work_off(shop: Shop) -> None:
    """Do all there is."""
    for _ in range(60):
        shop.clock.advance(LATER)
        claim = shop.pipeline.claim(tuple(Pool), "w1")
        if claim is None:
            return
        done = CleanupResult(objects=0) if claim.job.kind is StepKind.CLEANUP else answer(claim.job)
        assert shop.pipeline.complete(claim.job, done, 0.1)
    raise AssertionError("it goes on and on")


def test_a_step_that_is_done_is_done_again_with_all_that_rests_on_it(shop: Shop) -> None:
    asset = ready(shop)
    before = shop.catalog.asset(asset.id)
    shop.catalog.retry(asset.id, from_step="encode.0")
    states = shop.states(asset.id)
    assert states["encode.0"] is StepState.READY
    assert states["package.ready"] is states["publish.ready"] is StepState.WAITING
    assert states["probe"] is states["audio"] is StepState.DONE  # it does not rest on that
    # Meanwhile what is public stays so
    during = shop.catalog.asset(asset.id)
    assert (during.state, during.published_build) == (AssetState.READY, before.published_build)
    work_off(shop)
    after = shop.catalog.asset(asset.id)
    assert (after.state, after.publication) == (AssetState.READY, Publication.PUBLISHED)
    assert after.published_build == after.build > before.build
    assert all(state.is_final for state in shop.states(asset.id).values())


def test_a_failed_asset_is_taken_up_from_an_earlier_step(shop: Shop) -> None:
    asset = shop.upload()
    shop.probe()
    finish(shop, "encode.0", "audio")
    shop.pipeline.fail(shop.take("package.ready").job, OOPS, Blame.PERMANENT)
    assert shop.catalog.retry(asset.id, from_step="encode.0").state is AssetState.INGESTED
    assert shop.states(asset.id)["package.ready"] is StepState.WAITING
    work_off(shop)
    assert shop.catalog.asset(asset.id).state is AssetState.READY


def test_what_it_gave_before_stays_until_then(shop: Shop) -> None:
    """Players of the build that is public go on: no cleanup may take its segments."""
    asset = ready(shop)
    with shop.database.read() as tx:
        old = tx.one("SELECT result FROM steps WHERE asset = :id AND key = 'package.ready'", {"id": asset.id})
    shop.catalog.retry(asset.id, from_step="encode.0")
    work_off(shop)
    with shop.database.read() as tx:
        kept = tx.all(
            "SELECT t.result FROM attempts t JOIN steps s ON s.id = t.step WHERE s.asset = :id AND s.key = 'package.ready'",
            {"id": asset.id},
        )
    assert old is not None and old["result"] in [row["result"] for row in kept]


@pytest.mark.parametrize(("key", "code"), [("no.such", "step_not_found"), ("probe", "not_from_here")])
def test_what_cannot_be_done_again_is_refused_by_name(shop: Shop, key: str, code: str) -> None:
    asset = ready(shop)
    with pytest.raises((NotFound, Conflict), match=code):
        shop.catalog.retry(asset.id, from_step=key)


def test_what_is_running_is_not_taken_from_under_its_hands(shop: Shop) -> None:
    asset = shop.upload()
    shop.probe()
    finish(shop, "encode.0", "audio")
    shop.take("package.ready")
    with pytest.raises(Conflict, match="under_way"):
        shop.catalog.retry(asset.id, from_step="encode.0")


def test_without_its_original_nothing_is_done_again(shop: Shop) -> None:
    asset = ready(shop)
    with shop.database.write() as tx:
        tx.execute("UPDATE assets SET original = 0 WHERE id = :id", {"id": asset.id})
    with pytest.raises(Conflict, match="source_deleted"):
        shop.catalog.retry(asset.id, from_step="encode.0")


def test_a_check_is_looked_at_again_alone(shop: Shop) -> None:
    asset = ready(shop)
    shop.catalog.retry(asset.id, from_step="lint.ready")
    states = shop.states(asset.id)
    assert states["lint.ready"] is StepState.READY and states["package.ready"] is StepState.DONE
    job = shop.take("publish.ready").job if states["publish.ready"] is StepState.READY else shop.claim().job
    assert job.kind in (StepKind.LINT, StepKind.PUBLISH)
    assert shop.pipeline.complete(job, LintResult(build=job.build), 0.1)


def test_what_waits_for_it_waits_again_though_it_is_not_done_again(shop: Shop) -> None:
    """The fast lane's build rests on the sound too, and is apart: it was handed back, and is ready."""
    asset = shop.upload()
    shop.do("probe", ProbeResult(facts=FACTS, plan=PLAN.model_copy(update={"look": LOOK})))
    for key in ("first.0", "audio"):
        shop.do(key, TracksResult(tracks=()))
    held = shop.take("package.first").job
    with pytest.raises(Conflict, match="under_way"):
        shop.catalog.retry(asset.id, from_step="audio")
    shop.pipeline.release(held, "released")
    shop.catalog.retry(asset.id, from_step="audio")
    assert shop.states(asset.id)["package.first"] is StepState.WAITING
    shop.do("audio", TracksResult(tracks=()))
    assert shop.states(asset.id)["package.first"] is StepState.READY


def test_what_waits_for_its_time_waits_for_what_is_done_again_too(shop: Shop) -> None:
    asset = shop.upload()
    first, second = (
        StepSpec(key=f"lint.{key}", kind=StepKind.POSTER, pool=Pool.IMAGE, required=False, after=after)
        for key, after in (("a", ()), ("b", ("lint.a",)))
    )
    with Store(shop.database, shop.clock).change() as change:
        change.add_steps(asset, [first, second])
    assert shop.pipeline.fail(shop.claim(Pool.IMAGE).job, OOPS, Blame.PERMANENT)
    assert shop.pipeline.fail(shop.claim(Pool.IMAGE).job, OOPS, Blame.TRANSIENT)
    # The second has its next attempt before it when the first is taken up again
    shop.catalog.retry(asset.id)
    shop.clock.advance(400)
    again = shop.claim(Pool.IMAGE).job
    assert again.key == "lint.a"
    assert shop.pipeline.claim((Pool.IMAGE,), "w") is None
    assert shop.pipeline.fail(again, OOPS, Blame.TRANSIENT)
    assert shop.pipeline.claim((Pool.IMAGE,), "w") is None
    shop.clock.advance(400)
    again = shop.claim(Pool.IMAGE).job
    assert shop.pipeline.complete(again, QUIET, 1.0)
    assert shop.claim(Pool.IMAGE).job.key == "lint.b"
