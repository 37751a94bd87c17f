"""Which build an asset ends with, on each database: the whole one, in whatever order the steps come."""

from __future__ import annotations

import pytest

from rushes.engine.job import Job
from rushes.model import PackageResult, ProbeResult, TracksResult
from rushes.plan import Chunk, Look
from rushes.states import AssetState, StepState
from tests.contract.shop import FACTS, LADDER, PLAN, Shop

LOOK = Look(ladder=LADDER, chunks=(Chunk(),))
FOUND = ProbeResult(facts=FACTS, plan=PLAN.model_copy(update={"look": LOOK}))
DONE, LOOKED = TracksResult(tracks=()), TracksResult(tracks=(), provisional=True)


def encoded(shop: Shop) -> str:
    """An asset whose ladder is there, and its first look not yet."""
    asset = shop.upload().id
    shop.do("probe", FOUND)
    shop.do("audio", DONE)
    shop.do("encode.0", DONE)
    return asset


def begin(shop: Shop, key: str) -> Job:
    """The step of this key runs now."""
    claims = []
    while not claims or claims[-1].job.key != key:
        claims.append(shop.claim())
    for other in claims[:-1]:
        shop.pipeline.release(other.job, "released")
    return claims[-1].job


def packaged(job: Job) -> PackageResult:
    return PackageResult(build=job.build, tracks=(), complete=job.key != "package.first", bytes=1)


@pytest.mark.parametrize("first", ["whole", "look"])
def test_a_provisional_build_is_not_begun_behind_the_whole_one(shop: Shop, first: str) -> None:
    asset = encoded(shop)
    whole = begin(shop, "package.ready")
    # When the first look comes while the whole build is made, or when it has been
    if first == "whole":
        assert shop.pipeline.complete(whole, packaged(whole), 0.1)
    shop.do("first.0", LOOKED)
    for job in [shop.claim().job for _ in range(2)]:
        shop.pipeline.release(job, "released")
    # Then no provisional one gets a greater number
    assert shop.states(asset)["package.first"] is StepState.SKIPPED
    if first == "look":
        assert shop.pipeline.complete(whole, packaged(whole), 0.1)
    found = shop.catalog.asset(asset)
    assert (found.state, found.build) == (AssetState.READY, whole.build)


def test_a_whole_build_that_is_begun_again_comes_behind_the_provisional_one(shop: Shop) -> None:
    asset = encoded(shop)
    shop.pipeline.release(begin(shop, "package.ready"), "released")
    shop.do("first.0", LOOKED)
    early = begin(shop, "package.first")
    whole = begin(shop, "package.ready")
    assert shop.pipeline.complete(whole, packaged(whole), 0.1)
    assert shop.pipeline.complete(early, packaged(early), 0.1)
    assert early.build < whole.build == shop.catalog.asset(asset).build
