"""What older builds name stays as long as somebody may play them, on each database, whatever is made after them."""

from __future__ import annotations

import pytest

from rushes.catalog import steps
from rushes.engine.job import Job
from rushes.errors import Blame
from rushes.model import CleanupResult, PackageResult, Result
from rushes.states import Pool, StepState
from rushes.tracks import Segment, Track
from tests.contract.shop import OOPS, Shop
from tests.contract.test_demands import finish as finish_lazy
from tests.contract.test_demands import upload
from tests.contract.test_encodes import answer


def said(job: Job) -> Result:
    """Captions lie where the attempt that made them put them."""
    if job.key != "package.enriched":
        return answer(job)
    prefix = f"media/{job.asset}/t/{job.recipe}/{job.fence}/captions-en/"
    piece = Segment(name="00001.vtt", ticks=120, size=9)
    captions = Track(name="captions-en", kind="text", prefix=prefix, codecs="wvtt", timescale=30, segments=(piece,))
    return PackageResult(build=job.build, tracks=(captions,), complete=True, bytes=1)


def finish(shop: Shop, *, failing: str = "") -> None:
    while (claim := shop.pipeline.claim(tuple(Pool), "w1")) is not None:
        if claim.job.key == failing:
            assert shop.pipeline.fail(claim.job, OOPS, Blame.PERMANENT)
        else:
            assert shop.pipeline.complete(claim.job, said(claim.job), 1.0)


@pytest.mark.parametrize("failing", ["", "package.enriched"])
def test_captions_of_a_build_stay_when_it_is_made_once_more(shop: Shop, failing: str) -> None:
    # Given captions without a storyboard, which is taken up again
    asset = shop.upload()
    shop.probe()
    finish(shop, failing="storyboard")
    first = places(shop, asset.id)
    shop.catalog.retry(asset.id)
    # When the second making gives other objects, or fails
    finish(shop, failing=failing)
    # Then a cleanup leaves those of the first
    assert len(first) == 1
    assert first < places(shop, asset.id) if not failing else first == places(shop, asset.id)


def places(shop: Shop, asset: str) -> set[str]:
    """What a cleanup leaves."""
    with shop.database.read() as tx:
        return set(steps.winners(tx, asset))


def test_what_is_made_on_demand_waits_for_a_cleanup_which_would_take_it_away(shop: Shop) -> None:
    asset = upload(shop)
    shop.pipeline.release(shop.claim().job, "released")  # an attempt that did not win
    finish_lazy(shop)
    assert shop.pipeline.housekeep(-1) == 1
    sweep = next(key for key in shop.states(asset.id) if key.startswith("cleanup.losers"))
    shop.catalog.demand(asset.id, "play")
    assert shop.states(asset.id)["encode.lazy.h264.0"] is StepState.WAITING
    shop.do(sweep, CleanupResult(objects=0))
    assert shop.states(asset.id)["encode.lazy.h264.0"] is StepState.READY
