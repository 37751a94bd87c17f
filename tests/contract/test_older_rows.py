"""What the version before wrote is still read: records without the new fields, steps planned with its parameters."""

from __future__ import annotations

import json
from typing import Any

from rushes.api.views import asset_json
from rushes.catalog.pipeline import RESULT
from rushes.model import Asset, PackageResult, ProbeResult, TracksResult
from rushes.options import Options
from rushes.plan import Chunk
from rushes.profiles import Profile
from rushes.states import AssetState, StepState
from rushes.transcoder.encode import read_chunk
from tests.contract.shop import LADDER, PLAN, Shop

NEW_ASSET = ("options", "encodes", "analysis", "download")
OLD_VIDEO = {
    "rungs": [{"short_side": 720, "max_bitrate": 2_800_000}, {"short_side": 360, "max_bitrate": 800_000}],
    "preset": "veryfast", "crf": 23.0, "max_fps": 60, "gop_seconds": 2.0, "segment_gops": 2,
}  # fmt: skip


def as_before(shop: Shop, asset: str) -> None:
    """Make an asset's row what the version before would have written."""
    with shop.database.write() as tx:
        row = tx.one("SELECT doc, profile FROM assets WHERE id = :id", {"id": asset})
        assert row is not None
        doc, profile = json.loads(row["doc"]), json.loads(row["profile"])
        for name in NEW_ASSET:
            doc.pop(name, None)
        profile = {name: profile[name] for name in ("name", "version", "fast_lane", "enrichment", "limits")}
        profile |= {"name": "default", "version": 1, "video": OLD_VIDEO}
        profile["audio"] = {"bitrate": 128_000, "sample_rate": 48_000, "channels": 2, "tracks": 4}
        tx.execute(
            "UPDATE assets SET doc = :doc, profile = :profile, source_size = NULL WHERE id = :id",
            {"doc": json.dumps(doc), "profile": json.dumps(profile), "id": asset},
        )


def params(shop: Shop, asset: str, key: str, **values: Any) -> None:
    with shop.database.write() as tx:
        tx.execute(
            "UPDATE steps SET params = :params WHERE asset = :asset AND key = :key",
            {"params": json.dumps(values), "asset": asset, "key": key},
        )


def old_ladder() -> dict[str, Any]:
    """A ladder as it was: rungs without codec and preset of their own."""
    ladder = LADDER.model_dump(mode="json")
    for rung in ladder["rungs"]:
        for name in ("codec", "preset", "hdr"):
            rung.pop(name, None)
    ladder["grid"].pop("starts", None)
    return ladder


def test_a_record_without_the_new_fields_is_whole(shop: Shop) -> None:
    asset = shop.upload()
    as_before(shop, asset.id)
    found = shop.catalog.asset(asset.id)
    assert (found.options, found.encodes, found.analysis) == (Options(), (), None)
    got = asset_json(found, shop.catalog.steps(asset.id), shop.catalog.cost(asset.id), base="https://v.example")
    assert got["options"] == {"clip": None, "watermark": None, "playback": "public"}
    assert got["encodes"] == []
    assert got["cost"]["avoided_cpu_seconds"] == 0


def test_an_asset_that_came_before_the_upgrade_is_finished_after_it(shop: Shop) -> None:
    asset = shop.upload()
    as_before(shop, asset.id)
    shop.probe()
    params(shop, asset.id, "encode.0", chunk=0, ladder=old_ladder())
    encode = shop.do("encode.0", TracksResult(tracks=()))
    assert encode.job.profile.video.codecs[0].codec == "h264"
    assert encode.job.profile.video.codecs[0].crf == 23
    shop.do("audio", TracksResult(tracks=()))
    shop.do("package.ready", PackageResult(build=1, tracks=(), complete=True, bytes=1))
    found = shop.catalog.asset(asset.id)
    assert found.state is AssetState.READY
    assert shop.states(asset.id)["encode.0"] is StepState.DONE


def test_an_old_profile_becomes_one_codec() -> None:
    profile = Profile.model_validate({"name": "default", "version": 1, "video": OLD_VIDEO})
    assert [(codec.codec, codec.preset, codec.crf) for codec in profile.video.codecs] == [("h264", "veryfast", 23.0)]
    assert profile.video.quality is None


def test_a_chunk_that_is_a_number_is_the_whole() -> None:
    assert read_chunk(0) == read_chunk(None) == Chunk()


def test_an_old_assets_source_is_found_by_its_size_once_it_is_saved_again(shop: Shop) -> None:
    first = shop.upload()
    as_before(shop, first.id)
    shop.catalog.update(first.id, title="touched")
    with shop.database.read() as tx:
        row = tx.one("SELECT source_size FROM assets WHERE id = :id", {"id": first.id})
    assert row is not None and row["source_size"] == 9


def test_results_of_the_version_before_are_read() -> None:
    """A probe of then planned one ladder, and called it so."""
    facts = {"container": "mp4", "demuxer": "mov", "size": 9, "duration": 4.0}
    probe = RESULT.validate_python({"kind": "probe", "facts": facts, "ladder": old_ladder()})
    assert isinstance(probe, ProbeResult)
    assert probe.plan == PLAN
    assert RESULT.validate_json(probe.model_dump_json()) == probe
    old = {"kind": "package", "build": 1, "tracks": [], "complete": True, "bytes": 10}
    assert PackageResult.model_validate(old).missing_seconds == 0.0
    assert Asset.model_validate({"id": "a", "tenant": "t", "created_at": 1.0}).options.is_plain
