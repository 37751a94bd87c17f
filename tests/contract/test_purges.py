"""What the catalog plans so that caches forget what is taken down."""

from __future__ import annotations

import pytest

from rushes.catalog import assets
from rushes.catalog.catalog import Catalog
from rushes.catalog.change import Store
from rushes.catalog.database import Database
from rushes.catalog.pipeline import Pipeline
from rushes.engine.outcome import SETTLED
from rushes.errors import Blame
from rushes.model import (
    ChecksumResult,
    CleanupResult,
    LintResult,
    PackageResult,
    ProbeResult,
    PublishResult,
    Result,
    Skipped,
    TracksResult,
    Verdict,
    VerdictResult,
)  # fmt: skip
from rushes.noun import Reason
from rushes.states import Action, Pool, Publication, StepKind, StepState
from tests.contract.shop import FACTS, PLAN, Shop
from tests.contract.test_encodes import ARCHIVE
from tests.contract.test_media_keys import TRACK

FAILED = Reason(code="purge_failed", message="A cache did not answer.")


@pytest.fixture
def shop(database: Database) -> Shop:
    """One whose caches are told."""
    made = Shop(database)
    store = Store(database, made.clock, lambda pools: made.rings.append(set(pools)), purge=True)
    made.catalog, made.pipeline = Catalog(store), Pipeline(store, lease=30.0, max_attempts=3, tool="ffmpeg-test")
    return made


MADE: dict[StepKind, Result] = {
    StepKind.PROBE: ProbeResult(facts=FACTS, plan=PLAN),
    StepKind.CHECKSUM: ChecksumResult(sha256="0" * 64),
    StepKind.ENCODE: TracksResult(tracks=()),
    StepKind.AUDIO: TracksResult(tracks=()),
    StepKind.PACKAGE: PackageResult(build=1, tracks=(), complete=True, bytes=10),
    StepKind.LINT: LintResult(build=1),
    StepKind.VERDICT: VerdictResult(verdict=Verdict(action=Action.PUBLISH, policy="p@1", rules=())),
    StepKind.PUBLISH: PublishResult(build=1),
}
NOTHING = Skipped(reason=Reason(code="nothing", message="Nothing to do."))


def published(shop: Shop) -> str:
    """An asset of which everything was done."""
    asset = shop.upload()
    while (claim := shop.pipeline.claim(tuple(Pool), "w1")) is not None:
        assert shop.pipeline.complete(claim.job, MADE.get(claim.job.kind, NOTHING), 1.0)
    assert shop.catalog.asset(asset.id).publication is Publication.PUBLISHED
    return asset.id


def cleaned(shop: Shop, asset: str, what: str) -> str:
    """The cleanup is done, and has left a list. Gives the key of the first purge."""
    key = next(key for key in shop.states(asset) if key.startswith(f"cleanup.{what}"))
    claim = shop.take(key)
    assert claim.job.params["purge"] is True
    assert shop.pipeline.complete(claim.job, CleanupResult(objects=1, purge=f"purges/{asset}/{key}"), 0.1)
    return f"purge.{key.removeprefix('cleanup.')}"


def test_a_deletion_is_told_to_caches_until_they_have_heard_and_then_once_more(shop: Shop) -> None:
    # Given an asset that is deleted, and its objects gone
    asset = published(shop)
    shop.catalog.delete(asset)
    first = cleaned(shop, asset, "delete")
    began = shop.clock.now()
    # When a cache is away for as long as one likes, then its step is not given up
    for _ in range(12):
        claim = shop.take(first)
        assert (claim.job.params["what"], claim.job.params["list"]) == ("purge", f"purges/{asset}/cleanup.{first[6:]}")
        assert shop.pipeline.fail(claim.job, FAILED, Blame.TRANSIENT)
        shop.clock.advance(301)
    shop.do(first, CleanupResult(objects=1))
    # Then what it may have taken in meanwhile is purged as well
    assert shop.clock.now() > began + SETTLED
    assert shop.take(f"{first}.again").job.params["last"] is True


def test_the_second_purge_waits_until_all_has_settled(shop: Shop) -> None:
    asset = published(shop)
    shop.catalog.delete(asset)
    first = cleaned(shop, asset, "delete")
    shop.do(first, CleanupResult(objects=1))
    assert shop.states(asset)[f"{first}.again"] is StepState.WAITING
    waiting = {claim.job.key for claim in iter(lambda: shop.pipeline.claim(tuple(Pool), "w1"), None)}
    assert f"{first}.again" not in waiting
    shop.clock.advance(SETTLED)
    assert shop.claim(Pool.PUBLISH).job.key == f"{first}.again"


def test_what_is_published_again_does_not_wait_for_caches(shop: Shop) -> None:
    asset = published(shop)
    shop.catalog.decide(asset, Action.HOLD)
    first = cleaned(shop, asset, "unpublish")
    shop.catalog.decide(asset, Action.PUBLISH)
    keys = sorted(key for key in shop.states(asset) if key.startswith("verdict.review"))
    shop.do(keys[-1], VerdictResult(verdict=Verdict(action=Action.PUBLISH, policy="p@1", rules=())))
    assert shop.states(asset)[keys[-1].replace("verdict", "publish")] is StepState.READY
    assert shop.states(asset)[first] is StepState.READY


def test_a_cache_that_never_answers_keeps_nothing_from_being_done(shop: Shop) -> None:
    # Given an asset that is public again, while a cache still does not answer for the time when it was not
    asset = published(shop)
    shop.catalog.decide(asset, Action.HOLD)
    first = cleaned(shop, asset, "unpublish")
    shop.catalog.decide(asset, Action.PUBLISH)
    keys = sorted(key for key in shop.states(asset) if key.startswith("verdict.review"))
    shop.do(keys[-1], VerdictResult(verdict=Verdict(action=Action.PUBLISH, policy="p@1", rules=())))
    shop.do(keys[-1].replace("verdict", "publish"), PublishResult(build=1))
    drained(shop)
    assert {key for key, state in shop.states(asset).items() if not state.is_final} == {first, f"{first}.again"}
    # Then an encode does not wait for it
    shop.catalog.encode(asset, ARCHIVE)
    assert shop.states(asset)["probe~2"] is StepState.READY
    shop.catalog.cancel_encode(asset, 2)
    # Nor the change of a key
    with shop.database.write() as tx:
        sealed = PackageResult(build=1, tracks=(TRACK,), complete=True, bytes=10, clear=(TRACK,))
        noun = assets.get(tx, asset).model_copy(update={"tracks": (TRACK,)})
        assets.save(tx, noun)
        tx.execute(
            "UPDATE steps SET result = :said WHERE asset = :asset AND key = 'package.ready'",
            {"asset": asset, "said": sealed.model_dump_json()},
        )
    assert shop.catalog.rotate_key(asset).key_version == 2
    drained(shop)
    # Nor does housekeeping pass it by
    shop.clock.advance(10)
    assert shop.pipeline.housekeep(0.0) == 1
    drained(shop)
    states = shop.states(asset)
    assert states["cleanup.original.0"] is StepState.DONE
    assert states[first] is StepState.READY, "and it is still tried"


def drained(shop: Shop) -> None:
    """All is done, but no cache answers."""
    held = []
    while (claim := shop.pipeline.claim(tuple(Pool), "w1")) is not None:
        if claim.job.key.startswith("purge."):
            held.append(claim.job)
        elif claim.job.kind is StepKind.CLEANUP:
            assert shop.pipeline.complete(claim.job, CleanupResult(objects=0), 0.1)
        else:
            assert shop.pipeline.complete(claim.job, MADE.get(claim.job.kind, NOTHING), 1.0)
    for job in held:
        shop.pipeline.release(job, "released")
