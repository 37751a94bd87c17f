from __future__ import annotations

import pytest

from rushes.ingest.admission import admit, check_room, mint
from rushes.ingest.memory import MemoryUploadStore
from rushes.ingest.protocol import Creation
from rushes.ingest.services import Services
from rushes.ingest.store import StoreFull
from rushes.keys import is_id
from rushes.settings import Settings
from rushes.states import AssetState

NOW = 1_750_000_000.0
SETTINGS = Settings(min_free_bytes=100, upload_expiry=60.0, profile="default", policy="strict")


def creation(length: int = 7, **metadata: bytes) -> Creation:
    return Creation(length=length, metadata=metadata, raw_metadata="raw", body=False)


def test_the_asset_and_its_upload() -> None:
    upload, asset = mint(SETTINGS, "acme", creation(filename=b"dir/clip.mp4", note=b"x\x00y"), NOW)
    assert (asset.tenant, asset.state, asset.title) == ("acme", AssetState.UPLOADING, "clip.mp4")
    assert (asset.profile, asset.policy, asset.created_at) == ("default", "strict", NOW)
    assert asset.metadata == {"filename": "dir/clip.mp4", "note": "xy"}
    assert (upload.asset, upload.tenant, upload.length, upload.raw_metadata) == (asset.id, "acme", 7, "raw")
    assert (upload.created_at, upload.expires_at, upload.state) == (NOW, NOW + 60.0, "open")
    assert upload.metadata["filename"] == "clip.mp4"


def test_whoever_knows_the_asset_does_not_know_its_upload() -> None:
    upload, asset = mint(SETTINGS, "acme", creation(), NOW)
    assert is_id(upload.id)
    assert is_id(asset.id)
    assert upload.id[10:] != asset.id[10:]


@pytest.mark.parametrize(("free", "fits"), [(107, True), (106, False)])
def test_room_is_for_the_file_and_what_must_stay_free(free: int, fits: bool) -> None:
    if fits:
        check_room(7, free, SETTINGS)
        return
    with pytest.raises(StoreFull):
        check_room(7, free, SETTINGS)


def test_a_catalog_that_fails_leaves_no_bytes_behind() -> None:
    class Broken:
        def create_upload(self, upload: object, asset: object) -> None:
            assert [name for name, _ in uploads.list()], "the row must not come before the file"
            raise RuntimeError("no database")

    uploads = MemoryUploadStore()
    parts = {"objects": None, "clock": type("At", (), {"now": lambda self: NOW})(), "tenant_of": lambda request: "t"}
    services = Services(catalog=Broken(), uploads=uploads, settings=SETTINGS, **parts)  # type: ignore[arg-type] # fakes
    with pytest.raises(RuntimeError):
        admit(services, "acme", creation())
    assert list(uploads.list()) == []
