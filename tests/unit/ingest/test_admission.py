from __future__ import annotations

import pytest

from rushes.catalog.records import Load, Ticket
from rushes.clock import ManualClock
from rushes.ingest.access import Caller
from rushes.ingest.admission import admit, admit_length, mint, with_options
from rushes.ingest.gauges import ENDLESS
from rushes.ingest.memory import MemoryUploadStore
from rushes.ingest.requests import Creation
from rushes.ingest.services import Services
from rushes.keys import is_id
from rushes.model import Asset
from rushes.options import Clip, Options
from rushes.settings import Settings
from rushes.states import AssetState

NOW = 1_750_000_000.0
SETTINGS = Settings(min_free_bytes=100, upload_expiry=60.0, profile="fast", policy="strict")


def creation(length: int = 7, **metadata: bytes) -> Creation:
    return Creation(length=length, metadata=metadata, raw_metadata="raw", body=False)


def test_the_asset_and_its_upload() -> None:
    upload, asset = mint(SETTINGS, Caller("acme"), creation(filename=b"dir/clip.mp4", note=b"x\x00y"), NOW)
    assert asset is not None
    assert (asset.tenant, asset.state, asset.title) == ("acme", AssetState.UPLOADING, "clip.mp4")
    assert (asset.profile, asset.policy, asset.created_at) == ("fast", "strict", NOW)
    assert asset.metadata == {"filename": "dir/clip.mp4", "note": "xy"}
    assert (upload.asset, upload.tenant, upload.length, upload.raw_metadata) == (asset.id, "acme", 7, "raw")
    assert (upload.created_at, upload.expires_at, upload.state) == (NOW, NOW + 60.0, "open")
    assert upload.metadata["filename"] == "clip.mp4"


def test_whoever_knows_the_asset_does_not_know_its_upload() -> None:
    upload, asset = mint(SETTINGS, Caller("acme"), creation(), NOW)
    assert asset is not None
    assert is_id(upload.id)
    assert is_id(asset.id)
    assert upload.id[10:] != asset.id[10:]


def test_a_part_has_no_asset() -> None:
    part = Creation(length=None, metadata={}, raw_metadata="", body=False, kind="part", raw_concat="partial")
    upload, asset = mint(SETTINGS, Caller("acme"), part, NOW)
    assert asset is None
    assert (upload.asset, upload.kind, upload.length, upload.raw_concat) == (None, "part", None, "partial")


def test_a_joined_upload_has_an_asset_and_knows_its_parts() -> None:
    joined = Creation(length=9, metadata={}, raw_metadata="", body=False, kind="joined", parts=("a", "b", "a"))
    upload, asset = mint(SETTINGS, Caller("acme"), joined, NOW)
    assert asset is not None
    assert (upload.asset, upload.kind, upload.parts) == (asset.id, "joined", ("a", "b", "a"))


def test_a_catalog_that_fails_leaves_no_bytes_behind() -> None:
    class Broken:
        def reservations(self) -> dict[str, int]:
            return {}

        def load(self) -> Load:
            return Load()

        def create_upload(self, upload: object, asset: object, decide: object, *, day: bool) -> None:
            assert [name for name, _ in uploads.list()], "the row must not come before the file"
            raise RuntimeError("no database")

    uploads = MemoryUploadStore()
    parts = {"objects": None, "clock": ManualClock(NOW), "tenant_of": lambda request: "t"}
    services = Services(catalog=Broken(), uploads=uploads, settings=SETTINGS, **parts)  # type: ignore[arg-type] # fakes
    with pytest.raises(RuntimeError, match="no database"):
        admit(services, Caller("acme"), creation())
    assert list(uploads.list()) == []


def test_where_the_store_has_no_end_nobody_is_asked_what_is_taken() -> None:
    class Books:
        def __init__(self) -> None:
            self.reserved: list[object] = []

        def load(self) -> Load:
            return Load()

        def create_upload(self, upload: object, asset: Asset, decide: object, *, day: bool) -> Asset:
            self.reserved.append(decide)
            return asset

    books, uploads = Books(), MemoryUploadStore(capacity=ENDLESS)
    settings = SETTINGS.model_copy(update={"upload_reserve_bytes": 500})
    parts = {"objects": None, "clock": ManualClock(NOW), "tenant_of": lambda request: "t"}
    services = Services(catalog=books, uploads=uploads, settings=settings, **parts)  # type: ignore[arg-type] # fakes
    admit(services, Caller("acme"), creation(7))
    deferred = admit(services, Caller("acme"), Creation(length=None, metadata={}, raw_metadata="", body=False))
    admit_length(services, deferred.upload, 10**6, 0)
    assert books.reserved == [7, 500]


FIXED = Clip(start=1.0, end=2.0)


@pytest.mark.parametrize(("fixed", "expected"), [(None, Clip(start=3.0)), (FIXED, FIXED)])
def test_by_a_one_time_address_only_a_clip_is_asked_for(fixed: Clip | None, expected: Clip) -> None:
    ticket = Ticket(id="n", tenant="acme", secret="s", created_at=NOW, expires_at=NOW + 60, options=Options(clip=fixed))
    said = {"clip_start": "3", "profile": "mine", "playback": "signed", "watermark": "no such thing, really"}
    asset = Asset(id="a", tenant="acme", created_at=NOW, profile="fast", metadata=said)
    services = Services(  # type: ignore[call-arg] # fakes
        catalog=None,
        objects=None,
        uploads=None,
        settings=SETTINGS,
        clock=ManualClock(NOW),
        tenant_of=lambda _: "t",  # type: ignore[arg-type]
    )
    found = with_options(services, Caller("acme", ticket=ticket), asset)
    assert (found.options, found.profile) == (Options(clip=expected), "fast")
