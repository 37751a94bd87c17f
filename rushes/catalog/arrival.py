"""How assets come to their source, by whichever door: an upload, a pull from an address, an import.

An asset that comes by another door than an upload has an upload all the same: what keeps its bytes until they are whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rushes.catalog import assets, early, planning, uploads
from rushes.catalog.change import Change
from rushes.catalog.database import Session
from rushes.catalog.records import Upload, UploadLimits
from rushes.engine.outcome import Outcome, apply
from rushes.facts import SourceRef
from rushes.model import Asset, StepSpec
from rushes.profiles import Profile, fitted
from rushes.settings import load_policy, load_profile
from rushes.states import AssetState

PARTS_KEPT = 3600.0
"""Seconds that the parts of a joined upload outlive its end: another one may still be made of them."""


@dataclass(frozen=True)
class Arrival:
    """What came, or comes, under a name that its sender chose, so that it comes once however often it is sent."""

    asset: Asset
    upload: Upload
    is_new: bool


def begin(change: Change, upload: Upload, asset: Asset, steps: Sequence[StepSpec] = ()) -> Asset:
    """The upload and its asset. `asset.profile` and `.policy` name files; their contents are kept with it.

    Limits of the upload that are narrower than the profile's are kept in the profile, where the probe holds to them.
    """
    profile, policy = load_profile(asset.profile), load_policy(asset.policy)
    profile = fitted(_within(profile, upload.limits), asset.options)
    named = asset.model_copy(update={"profile": profile.ref, "policy": policy.ref})
    assets.insert(change.tx, named, profile, policy)
    uploads.insert(change.tx, upload)
    change.event("asset.created", named)
    if steps:
        change.add_steps(named, list(steps))
    return named


def begin_once(change: Change, name: str, upload: Upload, asset: Asset, steps: Sequence[StepSpec] = ()) -> Arrival:
    """The same, unless something came under this name already and was not given up: then that."""
    row = change.tx.one(  # whoever comes at the same time waits here
        "INSERT INTO arrivals (name, asset, upload, created_at) VALUES (:name, :asset, :upload, :at)"
        " ON CONFLICT (name) DO UPDATE SET name = arrivals.name RETURNING asset, upload",
        {"name": name, "asset": asset.id, "upload": upload.id, "at": change.now},
    )
    if row is not None and row["asset"] != asset.id:
        found = Arrival(assets.get(change.tx, row["asset"]), uploads.get(change.tx, row["upload"]), is_new=False)
        if not _given_up(found.asset):
            return found
        change.tx.execute(
            "UPDATE arrivals SET asset = :asset, upload = :upload, created_at = :at WHERE name = :name",
            {"name": name, "asset": asset.id, "upload": upload.id, "at": change.now},
        )
    return Arrival(begin(change, upload, asset, steps), upload, is_new=True)


def find(tx: Session, name: str) -> Arrival | None:
    """What came under a name; None also for what was given up."""
    row = tx.one("SELECT asset, upload FROM arrivals WHERE name = :name", {"name": name})
    if row is None:
        return None
    found = Arrival(assets.get(tx, row["asset"]), uploads.get(tx, row["upload"]), is_new=False)
    return None if _given_up(found.asset) else found


def arrived(change: Change, upload: str, source: SourceRef, *, seen: str | None = None) -> Asset:
    """The last byte is stored at `source.key`: source, steps and event. Again is harmless.

    `seen` names those bytes of the source that an early probe was shown (`Pieces.sha256`): if it is done, what follows
    from it is planned at once.
    """
    record, asset = uploads.with_asset(change.tx, upload)
    if asset is None:
        raise ValueError(f"{upload} is a part: it has no asset")
    if not uploads.finish(change.tx, upload):
        return asset
    uploads.set_length(change.tx, upload, source.size)
    uploads.hasten(change.tx, record.parts, change.now + PARTS_KEPT)
    if asset.state is not AssetState.UPLOADING:
        return asset  # deleted or cancelled while the last bytes came
    probed = early.result(change.tx, asset.id, source.size, seen)
    early.close(change.tx, asset.id, change.now)
    asset = _ingest(change, asset, source)
    if probed is None:
        planning.after_intake(change, asset, probed=False)
        return asset
    asset = change.save(apply(asset, "probe", probed, change.now))
    planning.after_intake(change, asset, probed=True)
    planning.after_probe(change, asset, "probe", probed.plan, assets.terms(change.tx, asset.id))
    return asset


def arrived_at_once(change: Change, upload: str, asset: Asset, source: SourceRef) -> Asset:
    """The same for an upload that came whole with its creation: nothing was joined, nor looked at early."""
    if not uploads.finish(change.tx, upload) or asset.state is not AssetState.UPLOADING:
        return asset
    asset = _ingest(change, asset, source)
    planning.after_intake(change, asset, probed=False)
    return asset


def _ingest(change: Change, asset: Asset, source: SourceRef) -> Asset:
    fields = {"state": AssetState.INGESTED, "uploaded_at": change.now, "source": source}
    return change.save(Outcome(asset.model_copy(update=fields), ("asset.ingested",)))


def _within(profile: Profile, limits: UploadLimits) -> Profile:
    old = profile.limits
    narrower: dict[str, object] = {}
    if limits.max_bytes is not None:
        narrower["bytes"] = min(old.bytes, limits.max_bytes)
    if limits.types:
        narrower["types"] = limits.types
    if limits.max_duration is not None:
        narrower["duration"] = min(old.duration, limits.max_duration)
    return profile.model_copy(update={"limits": old.model_copy(update=narrower)}) if narrower else profile


def _given_up(asset: Asset) -> bool:
    """It failed before it had a source: expired, cancelled, not to be had. What somebody deleted does not come again."""
    return asset.source is None and asset.state is AssetState.FAILED
