"""The probe that runs ahead of the last byte, on each database: when it counts, and that it never does harm."""

from __future__ import annotations

import pytest

from rushes.catalog.records import Upload, UploadLimits
from rushes.engine.early import EARLY_PROBE, Pieces
from rushes.errors import Conflict
from rushes.facts import EarlyFacts, SourceRef
from rushes.keys import new_id
from rushes.model import Asset, ProbeResult, Skipped
from rushes.noun import Reason
from rushes.states import AssetState, Pool, StepState
from tests.contract.shop import FACTS, PLAN, Shop

SHOWN = EarlyFacts(container="mp4", duration=4.0)
PIECES = Pieces.of(b"head", b"", FACTS.size)
FOUND = ProbeResult(facts=FACTS, plan=PLAN)


def begin(shop: Shop, limits: UploadLimits | None = None) -> Upload:
    now = shop.clock.now()
    asset = Asset(id=new_id(now), tenant="default", created_at=now)
    upload = Upload(
        id=new_id(now), asset=asset.id, tenant="default", length=9, limits=limits or UploadLimits(),
        created_at=now, expires_at=now + 60,
    )  # fmt: skip
    shop.catalog.create_upload(upload, asset)
    return upload


def finish(shop: Shop, upload: Upload, seen: str | None = None) -> Asset:
    return shop.catalog.finish_upload(upload.id, SourceRef(key="sources/x", size=9), seen=seen)


def asset_of(shop: Shop, upload: Upload) -> Asset:
    return shop.catalog.asset(upload.asset or "")


def test_what_the_first_bytes_say_is_kept_and_told(shop: Shop) -> None:
    upload = begin(shop)
    assert shop.catalog.recognise(upload.asset or "", SHOWN)
    assert asset_of(shop, upload).early == SHOWN
    assert [event.type for event in shop.catalog.events()] == ["asset.created", "asset.updated"]
    assert shop.states(upload.asset or "") == {}


def test_the_probe_runs_while_the_upload_does(shop: Shop) -> None:
    upload = begin(shop)
    shop.catalog.recognise(upload.asset or "", SHOWN, PIECES)
    assert shop.rings == [{Pool.IO}]
    assert shop.catalog.early_pieces(upload.asset or "") is None
    shop.do(EARLY_PROBE, FOUND)
    assert shop.catalog.early_pieces(upload.asset or "") == PIECES
    asset = asset_of(shop, upload)
    assert (asset.state, asset.facts) == (AssetState.UPLOADING, None)
    assert asset.early is not None
    assert asset.early.width == 640


def test_the_last_byte_plans_everything_where_the_probe_ran_ahead(shop: Shop) -> None:
    upload = begin(shop)
    shop.catalog.recognise(upload.asset or "", SHOWN, PIECES)
    shop.do(EARLY_PROBE, FOUND)
    asset = finish(shop, upload, PIECES.sha256)
    assert (asset.state, asset.facts) == (AssetState.INGESTED, FACTS)
    states = shop.states(asset.id)
    assert states["encode.0"] is states["checksum"] is StepState.READY
    assert "probe" not in states
    # And again is harmless
    assert finish(shop, upload, PIECES.sha256) == asset
    assert shop.states(asset.id) == states


@pytest.mark.parametrize("seen", [None, "0" * 64], ids=["nobody looked", "other bytes came"])
def test_other_bytes_are_probed_anew(shop: Shop, seen: str | None) -> None:
    upload = begin(shop)
    shop.catalog.recognise(upload.asset or "", SHOWN, PIECES)
    shop.do(EARLY_PROBE, FOUND)
    asset = finish(shop, upload, seen)
    assert asset.facts is None
    assert shop.states(asset.id)["probe"] is StepState.READY
    assert "encode.0" not in shop.states(asset.id)


def test_another_length_is_probed_anew(shop: Shop) -> None:
    upload = begin(shop)
    shop.catalog.recognise(upload.asset or "", SHOWN, PIECES)
    shop.do(EARLY_PROBE, FOUND)
    asset = shop.catalog.finish_upload(upload.id, SourceRef(key="sources/x", size=8), seen=PIECES.sha256)
    assert (asset.facts, shop.states(asset.id)["probe"]) == (None, StepState.READY)


def test_a_probe_that_has_not_begun_by_then_is_not_needed(shop: Shop) -> None:
    upload = begin(shop)
    shop.catalog.recognise(upload.asset or "", SHOWN, PIECES)
    asset = finish(shop, upload)
    assert shop.states(asset.id)[EARLY_PROBE] is StepState.SKIPPED
    assert shop.claim().job.key == "probe"


def test_a_probe_that_still_runs_changes_nothing_any_more(shop: Shop) -> None:
    upload = begin(shop)
    shop.catalog.recognise(upload.asset or "", SHOWN, PIECES)
    running = shop.claim()
    asset = finish(shop, upload)
    shop.probe()
    planned = set(shop.states(asset.id))
    assert shop.pipeline.complete(running.job, FOUND, 1.0)
    assert set(shop.states(asset.id)) == planned
    assert shop.catalog.asset(asset.id).facts == FACTS


def test_a_hopeless_upload_ends_with_the_probes_reason(shop: Shop) -> None:
    upload = begin(shop)
    shop.catalog.recognise(upload.asset or "", SHOWN, PIECES)
    reason = Reason(code="over_limit_pixels", message="Too large.")
    shop.do(EARLY_PROBE, Skipped(reason=reason))
    asset = asset_of(shop, upload)
    assert (asset.state, asset.reason) == (AssetState.FAILED, reason)
    assert shop.catalog.upload(upload.id).state == "terminated"
    assert finish(shop, upload).source is None
    with pytest.raises(Conflict):
        shop.catalog.retry(asset.id)


@pytest.mark.parametrize("code", ["corrupt", "internal"])
def test_what_it_cannot_be_sure_of_is_left_to_the_probe(shop: Shop, code: str) -> None:
    upload = begin(shop)
    shop.catalog.recognise(upload.asset or "", SHOWN, PIECES)
    shop.do(EARLY_PROBE, Skipped(reason=Reason(code=code, message="?")))
    asset = finish(shop, upload, PIECES.sha256)
    assert (asset.state, asset.notes, shop.states(asset.id)["probe"]) == (AssetState.INGESTED, (), StepState.READY)


def test_a_worker_that_is_killed_by_it_does_no_harm(shop: Shop) -> None:
    upload = begin(shop)
    shop.catalog.recognise(upload.asset or "", SHOWN, PIECES)
    for _ in range(4):
        shop.clock.advance(60)
        assert shop.claim().job.key == EARLY_PROBE
        shop.clock.advance(60)
        shop.pipeline.reconcile()
    asset = finish(shop, upload)
    assert shop.states(asset.id)[EARLY_PROBE] is StepState.FAILED
    assert (asset.state, asset.notes, shop.states(asset.id)["probe"]) == (AssetState.INGESTED, (), StepState.READY)


def test_recognising_comes_too_late_for_what_is_over(shop: Shop) -> None:
    asset = shop.upload()
    assert not shop.catalog.recognise(asset.id, SHOWN, PIECES)
    assert EARLY_PROBE not in shop.states(asset.id)


def test_a_deleted_upload_takes_its_early_probe_with_it(shop: Shop) -> None:
    upload = begin(shop)
    shop.catalog.recognise(upload.asset or "", SHOWN, PIECES)
    shop.catalog.terminate_upload(upload.id)
    assert shop.states(upload.asset or "") == {EARLY_PROBE: StepState.CANCELLED}


def test_the_limits_of_an_upload_are_those_of_its_asset(shop: Shop) -> None:
    upload = begin(shop, UploadLimits(max_duration=30.0, max_bytes=1000, types=("video/mp4",)))
    limits = shop.catalog.limits_of(upload.asset or "")
    assert (limits.duration, limits.bytes, limits.types) == (30.0, 1000, ("video/mp4",))
