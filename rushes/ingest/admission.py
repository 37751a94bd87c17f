"""Whether an upload may begin, and the two nouns that it begins as."""

from __future__ import annotations

from rushes.catalog.records import Upload
from rushes.ingest.metadata import filename_of, readable, title_of
from rushes.ingest.protocol import Creation
from rushes.ingest.services import Services
from rushes.ingest.store import StoreFull
from rushes.keys import new_id, source_key
from rushes.model import Asset
from rushes.settings import Settings
from rushes.text import one_line


def admit(services: Services, tenant: str, creation: Creation) -> tuple[Upload, Asset]:
    """Make room, upload and asset, in an order in which a crash leaves at most an empty file behind.

    Raises StoreFull. Blocks.
    """
    check_room(creation.length, services.uploads.free(), services.settings)
    upload, asset = mint(services.settings, tenant, creation, services.clock.now())
    services.uploads.create(upload.id, source_key(tenant, asset.id, 1), upload.length)
    try:
        return upload, services.catalog.create_upload(upload, asset)
    except BaseException:
        services.uploads.remove(upload.id)
        raise


def check_room(length: int, free: int, settings: Settings) -> None:
    """507 (RFC 4918 section 11.5) before the first byte rather than in the middle of the file."""
    if free < length + settings.min_free_bytes:
        raise StoreFull("The server has no room for a file of this size now. Please try again later.")


def mint(settings: Settings, tenant: str, creation: Creation, now: float) -> tuple[Upload, Asset]:
    metadata = readable(creation.metadata)
    asset = Asset(
        id=new_id(now),
        tenant=tenant,
        title=one_line(title_of(metadata), 255),
        metadata=metadata,
        created_at=now,
        profile=settings.profile,
        policy=settings.policy,
    )
    upload = Upload(
        id=new_id(now),
        asset=asset.id,
        tenant=tenant,
        length=creation.length,
        metadata={**metadata, "filename": filename_of(metadata)},
        raw_metadata=creation.raw_metadata,
        created_at=now,
        expires_at=now + settings.upload_expiry,
    )
    return upload, asset
