"""Work that is not done twice, on each database: only the same work, only of the same tenant, only while it is there."""

from __future__ import annotations

import pytest

from rushes.catalog.records import Upload
from rushes.engine.job import Job
from rushes.facts import SourceRef
from rushes.keys import new_id
from rushes.model import Asset, ChecksumResult, ProbeResult, TracksResult
from rushes.options import Clip, Options
from rushes.states import StepState
from tests.contract.shop import FACTS, PLAN, Shop

SHA = "ab" * 32
DONE = TracksResult(tracks=(), decoded_seconds=4.0)


def come(shop: Shop, tenant: str = "t", size: int = 9, options: Options | None = None) -> str:
    now = shop.clock.advance(1) or shop.clock.now()
    asset = Asset(id=new_id(now), tenant=tenant, created_at=now, options=options or Options())
    upload = Upload(id=new_id(now), asset=asset.id, tenant=tenant, length=size, created_at=now, expires_at=now + 60)
    shop.catalog.create_upload(upload, asset)
    shop.catalog.finish_upload(upload.id, SourceRef(key=f"sources/{tenant}/{asset.id}/1", size=size))
    return asset.id


def do(shop: Shop, asset: str, key: str, result: object, cpu: float = 1.0, *, copied: bool = False) -> Job:
    """The step `key` of this asset, whatever else is ready."""
    held = []
    while True:
        claim = shop.claim()
        if (claim.job.asset, claim.job.key) == (asset, key):
            break
        held.append(claim)
    for other in held:
        shop.pipeline.release(other.job, "released")
    assert shop.pipeline.complete(claim.job, result, cpu, copied=copied)  # type: ignore[arg-type]
    return claim.job


def look(shop: Shop, asset: str, key: str = "encode.0") -> Job:
    """The job of a step as a worker would get it now; given back at once."""
    held = []
    while True:
        claim = shop.claim()
        held.append(claim)
        if (claim.job.asset, claim.job.key) == (asset, key):
            break
    for other in held:
        shop.pipeline.release(other.job, "released")
    return claim.job


def encoded(shop: Shop, asset: str, sha256: str = SHA, *, cpu: float = 40.0) -> Job:
    """Probe, digest, one encode."""
    do(shop, asset, "checksum", ChecksumResult(sha256=sha256))
    do(shop, asset, "probe", ProbeResult(facts=FACTS, plan=PLAN))
    return do(shop, asset, "encode.0", DONE, cpu)


def test_the_same_bytes_again_find_what_was_made_of_them(shop: Shop) -> None:
    first = come(shop)
    assert encoded(shop, first).twin is None
    second = come(shop)
    do(shop, second, "checksum", ChecksumResult(sha256=SHA))
    do(shop, second, "probe", ProbeResult(facts=FACTS, plan=PLAN))
    twin = look(shop, second).twin
    assert twin is not None
    assert (twin.asset, twin.result, twin.cpu_seconds) == (first, DONE, 40.0)
    # When its result is copied
    do(shop, second, "encode.0", DONE, 0.5, copied=True)
    # Then that is to be seen, and a third one saves as much
    step = next(step for step in shop.catalog.steps(second) if step.key == "encode.0")
    assert (step.cpu_seconds, step.avoided_cpu_seconds) == (0.5, 40.0)
    assert shop.catalog.cost(second)["avoided_cpu_seconds"] == 40.0
    assert shop.catalog.counts().avoided == (("encode", 1, 40.0),)
    third = come(shop)
    do(shop, third, "checksum", ChecksumResult(sha256=SHA))
    do(shop, third, "probe", ProbeResult(facts=FACTS, plan=PLAN))
    twin = look(shop, third).twin
    assert twin is not None and twin.cpu_seconds >= 40.0


def test_a_digest_that_comes_last_names_what_was_done_before_it(shop: Shop) -> None:
    first = come(shop)
    do(shop, first, "probe", ProbeResult(facts=FACTS, plan=PLAN))
    do(shop, first, "encode.0", DONE, 40.0)
    do(shop, first, "checksum", ChecksumResult(sha256=SHA))
    second = come(shop)
    do(shop, second, "checksum", ChecksumResult(sha256=SHA))
    do(shop, second, "probe", ProbeResult(facts=FACTS, plan=PLAN))
    twin = look(shop, second).twin
    assert twin is not None and twin.asset == first


def test_where_a_source_of_this_size_is_known_the_encode_waits_for_the_digest(shop: Shop) -> None:
    first = come(shop)
    do(shop, first, "probe", ProbeResult(facts=FACTS, plan=PLAN))
    assert shop.states(first)["encode.0"] is StepState.READY  # nobody else has such a source: nothing to wait for
    second = come(shop)
    do(shop, second, "probe", ProbeResult(facts=FACTS, plan=PLAN))
    states = shop.states(second)
    assert states["encode.0"] is states["audio"] is StepState.WAITING
    do(shop, second, "checksum", ChecksumResult(sha256=SHA))
    assert shop.states(second)["encode.0"] is StepState.READY
    other = come(shop, size=10)
    do(shop, other, "probe", ProbeResult(facts=FACTS, plan=PLAN))
    assert shop.states(other)["encode.0"] is StepState.READY


def test_a_digest_that_cannot_be_had_holds_nothing_up(shop: Shop) -> None:
    from rushes.errors import Blame
    from tests.contract.shop import OOPS

    come(shop)
    second = come(shop)
    do(shop, second, "probe", ProbeResult(facts=FACTS, plan=PLAN))
    held = []
    while True:
        claim = shop.claim()
        held.append(claim)
        if (claim.job.asset, claim.job.key) == (second, "checksum"):
            break
    assert shop.pipeline.fail(claim.job, OOPS, Blame.PERMANENT)
    assert shop.states(second)["encode.0"] is StepState.READY


@pytest.mark.parametrize(
    "changes", [{"tenant": "other"}, {"options": Options(clip=Clip(start=1.0, end=3.0))}], ids=["tenant", "options"]
)
def test_other_tenants_and_other_options_find_nothing(shop: Shop, changes: dict) -> None:  # type: ignore[type-arg]
    encoded(shop, come(shop))
    second = come(shop, **changes)
    do(shop, second, "checksum", ChecksumResult(sha256=SHA))
    do(shop, second, "probe", ProbeResult(facts=FACTS, plan=PLAN))
    assert look(shop, second).twin is None


def test_other_bytes_of_the_same_size_find_nothing(shop: Shop) -> None:
    encoded(shop, come(shop))
    second = come(shop)
    assert encoded(shop, second, "cd" * 32).twin is None


def test_what_was_taken_down_is_not_copied_from(shop: Shop) -> None:
    first = come(shop)
    encoded(shop, first)
    shop.catalog.delete(first)
    assert encoded(shop, come(shop)).twin is None


def test_another_tool_makes_other_bytes(shop: Shop) -> None:
    from rushes.catalog.change import Store
    from rushes.catalog.pipeline import Pipeline

    encoded(shop, come(shop))
    second = come(shop)
    do(shop, second, "checksum", ChecksumResult(sha256=SHA))
    do(shop, second, "probe", ProbeResult(facts=FACTS, plan=PLAN))
    newer = Pipeline(Store(shop.database, shop.clock), lease=30.0, max_attempts=3, tool="ffmpeg-newer")
    shop.pipeline = newer
    assert look(shop, second).twin is None


def test_a_second_encode_by_the_same_ladder_copies_from_the_first(shop: Shop) -> None:
    from rushes.settings import load_profile
    from tests.contract.test_encodes import finish

    first = come(shop)
    encoded(shop, first)
    finish(shop)
    shop.catalog.encode(first, load_profile("fast"))
    do(shop, first, "probe~2", ProbeResult(facts=FACTS, plan=PLAN))
    job = look(shop, first, "encode.0~2")
    assert job.twin is not None and job.twin.asset == first
