"""Changing the key of a protected asset, on each database: one build more, once, and without harm if it fails."""

from __future__ import annotations

import pytest

from rushes.catalog import steps
from rushes.engine.job import Job
from rushes.errors import Blame, Conflict
from rushes.model import Asset, PackageResult, Result
from rushes.noun import Reason
from rushes.states import AssetState, Pool, StepKind, StepState
from rushes.tracks import Protection, Segment, Track
from tests.contract.shop import Shop
from tests.contract.test_encodes import ARCHIVE, answer

TRACK = Track(
    name="720p", kind="video", prefix="media/a/t/r/1/720p/", codecs="avc1.64001f", timescale=30,
    segments=(Segment(name="00001.m4s", ticks=120, size=9),), protection=Protection(scheme="cbcs", kid="0" * 32, iv="1" * 32),
)  # fmt: skip


def sealed(job: Job) -> Result:
    """As `answer`, but what is packaged is encrypted by the key that the job names."""
    if job.kind is not StepKind.PACKAGE or job.params["phase"] not in ("ready", "rekey"):
        return answer(job)
    kid = f"{job.key_version:032x}"
    track = TRACK.model_copy(update={"protection": Protection(scheme="cbcs", kid=kid, iv="1" * 32)})
    return PackageResult(build=job.build, tracks=(track,), complete=True, bytes=1, clear=(TRACK,))


def finish(shop: Shop) -> list[Job]:
    jobs = []
    while (claim := shop.pipeline.claim(tuple(Pool), "w1")) is not None:
        jobs.append(claim.job)
        assert shop.pipeline.complete(claim.job, sealed(claim.job), 1.0)
    return jobs


def ready(shop: Shop) -> Asset:
    asset = shop.upload()
    shop.probe()
    finish(shop)
    return shop.catalog.asset(asset.id)


def kid_of(asset: Asset) -> str:
    (track,) = asset.tracks
    assert track.protection
    return track.protection.kid


def test_a_new_key_is_a_new_build_that_takes_the_place_of_the_old(shop: Shop) -> None:
    asset = ready(shop)
    assert (asset.key_version, kid_of(asset)) == (1, f"{1:032x}")
    planned = shop.catalog.rotate_key(asset.id)
    assert (planned.key_version, kid_of(planned), planned.published_build) == (2, kid_of(asset), asset.published_build)
    assert shop.catalog.rotate_key(asset.id).revision == planned.revision, "asked for again while it is made"
    jobs = {job.key: job for job in finish(shop)}
    assert {"package.rekey.2", "publish.rekey.2"} <= set(jobs)
    assert isinstance(jobs["publish.rekey.2"].inputs["package.rekey.2"], PackageResult)
    changed = shop.catalog.asset(asset.id)
    assert (kid_of(changed), changed.state) == (f"{2:032x}", AssetState.READY)
    assert changed.published_build == changed.build > asset.build


def test_a_later_encode_keeps_its_profile_under_a_new_key(shop: Shop) -> None:
    asset = ready(shop)
    shop.catalog.encode(asset.id, ARCHIVE)
    finish(shop)
    assert shop.catalog.asset(asset.id).profile == ARCHIVE.ref
    shop.catalog.rotate_key(asset.id)
    jobs = {job.key: job for job in finish(shop)}
    assert jobs["package.rekey.2~2"].profile.ref == ARCHIVE.ref
    changed = shop.catalog.asset(asset.id)
    assert (changed.profile, kid_of(changed)) == (ARCHIVE.ref, f"{2:032x}")
    assert changed.published_build == changed.build


def test_an_asset_is_none_the_worse_for_a_key_that_cannot_be_changed(shop: Shop) -> None:
    asset = ready(shop)
    shop.catalog.rotate_key(asset.id)
    claim = shop.take("package.rekey.2")
    reason = Reason(code="key_server_refused", message="No.")
    assert shop.pipeline.fail(claim.job, reason, Blame.PERMANENT)
    finish(shop)
    after = shop.catalog.asset(asset.id)
    assert (after.state, after.build, after.published_build) == (AssetState.READY, asset.build, asset.published_build)
    assert shop.states(asset.id)["package.rekey.2"] is StepState.FAILED
    shop.catalog.rotate_key(asset.id)
    finish(shop)
    assert kid_of(shop.catalog.asset(asset.id)) == f"{3:032x}"


def test_what_is_worked_on_or_in_the_clear_has_no_key_to_change(shop: Shop) -> None:
    early = shop.upload()
    with pytest.raises(Conflict, match="not_ready"):
        shop.catalog.rotate_key(early.id)
    asset = ready(shop)
    shop.catalog.encode(asset.id, ARCHIVE)
    with pytest.raises(Conflict, match="work_under_way"):
        shop.catalog.rotate_key(asset.id)


def test_older_keys_end_when_they_are_retired(shop: Shop) -> None:
    asset = ready(shop)
    shop.catalog.rotate_key(asset.id)
    finish(shop)
    assert shop.catalog.retire_keys(asset.id, 2).oldest_key == 2
    assert shop.catalog.retire_keys(asset.id, 1).oldest_key == 2, "it does not go back"


def test_pieces_that_were_joined_stay_where_their_build_names_them(shop: Shop) -> None:
    asset = shop.upload()
    shop.probe()
    joined = TRACK.model_copy(
        update={"prefix": f"media/{asset.id}/t/", "segments": (Segment(name="rr/4/720p/00001.m4s", ticks=1, size=1),)}
    )
    while (claim := shop.pipeline.claim(tuple(Pool), "w1")) is not None:
        made = answer(claim.job)
        if isinstance(made, PackageResult):
            made = made.model_copy(update={"tracks": (joined,)})
        shop.pipeline.complete(claim.job, made, 1.0)
    with shop.database.read() as tx:
        kept = steps.winners(tx, asset.id)
    assert f"media/{asset.id}/t/rr/4/" in kept
