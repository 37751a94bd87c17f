"""Whether an upload may begin, and the two nouns that it begins as."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rushes.catalog.records import Upload
from rushes.ingest.access import Caller
from rushes.ingest.finish import store_key
from rushes.ingest.joining import length_of_parts
from rushes.ingest.media_types import check_said
from rushes.ingest.metadata import filename_of, readable, title_of
from rushes.ingest.requests import Creation, check_creation, limit_of
from rushes.ingest.reservations import TicketSpent, check_declared, decide, may_be_refused, reserve_of, rule_of
from rushes.ingest.services import Services
from rushes.keys import new_id
from rushes.model import Asset
from rushes.options import CLIP, asked
from rushes.settings import Settings
from rushes.text import one_line


@dataclass(frozen=True)
class Admitted:
    upload: Upload
    asset: Asset | None
    """None for a part, and for one that was there."""
    again: bool = False
    """An upload that was there already: the answer to its creation was lost, and the client asks once more."""


def admit(services: Services, caller: Caller, creation: Creation) -> Admitted:
    """Make room, upload and asset, in an order in which a crash leaves at most an empty file behind.

    Raises what `decide` raises, TypeRefused, OverLimit, and what is wrong with the parts of a joined one. Blocks.
    """
    upload, asset = mint(services.settings, caller, creation, services.clock.now())
    if asset is not None:
        asset = with_options(services, caller, asset)
    if upload.kind == "joined":
        if (earlier := services.catalog.same_joined(upload)) is not None:
            return Admitted(earlier, None, again=True)
        creation = replace(creation, length=length_of_parts(services, caller, creation.parts))
        upload = upload.model_copy(update={"length": creation.length})
    _check(services.settings, upload, creation)
    try:
        made = _begin(services, upload, asset)
        if made is None or made.id == upload.asset:
            return Admitted(upload, made)
        services.uploads.remove(upload.id)  # the same was asked for at the same moment
        return Admitted(services.catalog.same_joined(upload) or upload, None, again=True)
    except TicketSpent as spent:
        earlier = services.catalog.upload_like(upload) if spent.used else None
        if earlier is None:
            raise
        return Admitted(earlier, None, again=True)


def with_options(services: Services, caller: Caller, asset: Asset) -> Asset:
    """The asset with what its metadata asks for: profile, clip, watermark, playback. By a one-time address only a clip, and that
    only where the address has none: the rest is for the app's server to say. Raises Refused. Blocks."""
    if caller.ticket is not None:
        fixed = caller.ticket.options
        clip = fixed.clip or asked({name: text for name, text in asset.metadata.items() if name in CLIP}).clip
        return asset.model_copy(update={"options": fixed.model_copy(update={"clip": clip})})
    wanted = asked(asset.metadata)
    services.quotas.check_names(caller.tenant, services.settings, profile=wanted.profile)
    options = services.watermarks.options(caller.tenant, wanted)
    return asset.model_copy(update={"options": options, "profile": wanted.profile or asset.profile})


def admissible(settings: Settings, caller: Caller, creation: Creation, now: float) -> tuple[Upload, Asset | None]:
    """An upload and its asset, as far as that can be told by themselves. Raises OverLimit, TypeRefused. Pure."""
    upload, asset = mint(settings, caller, creation, now)
    _check(settings, upload, creation)
    return upload, asset


def _check(settings: Settings, upload: Upload, creation: Creation) -> None:
    check_creation(creation, limit_of(upload, settings.upload_max_bytes))
    check_said(upload.metadata, upload.limits.types)


def _begin(services: Services, upload: Upload, asset: Asset | None) -> Asset | None:
    premises = services.gauges.premises(upload.tenant)
    rule, day = rule_of(upload, premises), premises.quota.bytes_per_day > 0
    if may_be_refused(upload, premises):  # and then, before a store is called, which may be far away
        decide(upload, services.catalog.booked(upload.tenant, upload.ticket, parts=upload.parts, day=day), premises)
    services.uploads.create(upload.id, store_key(upload), upload.length)
    try:
        if asset is None:
            services.catalog.create_part(upload, rule, day=day)
            return None
        return services.catalog.create_upload(upload, asset, rule, day=day)
    except BaseException:
        services.uploads.remove(upload.id)
        raise


def admit_length(services: Services, upload: Upload, length: int, arrived: int) -> None:
    """A length that is said later. Raises StoreFull. Blocks."""
    premises = services.gauges.premises(upload.tenant)
    if premises.room is not None:
        check_declared(upload, length, arrived, services.catalog.booked(upload.tenant, day=False), premises)


def keep_count(services: Services, upload: Upload, arrived: int) -> None:
    """An upload of unknown length has grown. Blocks."""
    step = services.settings.upload_reserve_bytes
    services.catalog.reserve(upload.id, reserve_of(upload, step, arrived))


def mint(settings: Settings, caller: Caller, creation: Creation, now: float) -> tuple[Upload, Asset | None]:
    """An upload and its asset; a part has none."""
    metadata = readable(creation.metadata)
    asset = Asset(
        id=new_id(now),
        tenant=caller.tenant,
        title=one_line(title_of(metadata), 255),
        metadata=metadata,
        created_at=now,
        profile=settings.profile,
        policy=settings.policy,
    )
    upload = Upload(
        id=new_id(now),
        asset=None if creation.kind == "part" else asset.id,
        tenant=caller.tenant,
        kind=creation.kind,
        length=creation.length,
        parts=creation.parts,
        metadata={**metadata, "filename": filename_of(metadata)},
        raw_metadata=creation.raw_metadata,
        raw_concat=creation.raw_concat,
        digests={algorithm: digest.hex() for algorithm, digest in creation.digests.items()},
        created_at=now,
        expires_at=now + settings.upload_expiry,
    )
    return caller.equipped(upload, None if creation.kind == "part" else asset)
