"""`rushes import` as a command of its own: from a real bucket and a real directory, killed and begun again."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rushes import wiring
from rushes.catalog.catalog import Catalog
from rushes.catalog.records import Upload
from rushes.clock import SystemClock
from rushes.engine.graph import BACK_CATALOGUE, FAST
from rushes.ingest.finish import store_key
from rushes.ingest.open import open_upload_store
from rushes.ingest.recovery import recover
from rushes.ingest.services import Services
from rushes.keys import new_id
from rushes.model import Asset
from rushes.settings import load_settings
from rushes.states import AssetState
from rushes.storage.across import copy_across
from rushes.storage.bucket import Bucket
from rushes.storage.open import open_store
from rushes.storage.store import ObjectMissing
from rushes.workers.doorbell import MemoryDoorbell
from tests.integration.ingest.conftest import wait_for
from tests.services.swift import Swift


def bytes_of(number: int, size: int = 300_000) -> bytes:
    return random.Random(number).randbytes(size)


class Archive:
    """A bucket or a directory with a back catalogue in it."""

    def __init__(self, address: str, put: Callable[[str, bytes], object]) -> None:
        self.address, self.put = address, put

    def fill(self, count: int, size: int = 300_000) -> dict[str, bytes]:
        files = {f"{number // 10}/clip {number}.mp4": bytes_of(number, size) for number in range(count)}
        for path, data in files.items():
            self.put(path, data)
        return files


class Desk:
    """Runs the command, and looks at what became of it."""

    def __init__(self, data: Path, environment: dict[str, str]) -> None:
        self.data = data
        clean = {name: value for name, value in os.environ.items() if not name.startswith("RUSHES_")}
        self.environment = {**clean, "RUSHES_DATA": str(data), "RUSHES_MIN_FREE_BYTES": "0", **environment}
        self.settings = load_settings(self.environment)
        self.store = wiring.open_catalog(self.settings, MemoryDoorbell())
        self.catalog = Catalog(self.store)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "rushes.cli", "import", *arguments, "--json"]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=self.environment, stdout=pipe, stderr=pipe, text=True)

    def run(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        process = self.start(*arguments)
        out, errors = process.communicate(timeout=120)
        assert process.returncode == code, errors[-3000:]
        return json.loads(out) if out else {}

    def recover(self) -> None:
        objects, uploads = open_store(self.settings.storage), open_upload_store(self.settings, alone=False)
        clock = SystemClock()
        asyncio.run(recover(Services(self.catalog, objects, uploads, self.settings, clock, lambda _: "default")))

    def assets(self) -> dict[str, Asset]:
        """By title. Two of one title are an error."""
        found: dict[str, Asset] = {}
        after: str | None = None
        while True:
            page, after = self.catalog.assets(tenant=None, after=after, limit=100)
            for asset in page:
                assert asset.title not in found, f"{asset.title} came twice"
                found[asset.title] = asset
            if after is None:
                return found

    def source(self, asset: Asset) -> bytes:
        assert asset.source is not None, asset.title
        return open_store(self.settings.storage).read(asset.source.key)

    def assert_all(self, files: dict[str, bytes]) -> None:
        assets = self.assets()
        assert set(assets) == {path.rpartition("/")[2] for path in files}
        for path, data in files.items():
            assert self.source(assets[path.rpartition("/")[2]]) == data
        assert list(open_upload_store(self.settings, alone=False).list()) == []


BUCKET_TO_S3, DIRECTORY_TO_FILES = ("bucket", "s3"), ("directory", "local")
WAYS = [BUCKET_TO_S3, DIRECTORY_TO_FILES]
MORE = [pytest.param(way, marks=pytest.mark.nightly) for way in (("bucket", "local"), ("directory", "s3"))]


@pytest.fixture(params=[*WAYS, *MORE], ids=lambda way: "-".join(way))
def way(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Where the back catalogue lies, and where it is taken."""
    found: tuple[str, str] = request.param
    return found


@pytest.fixture
def archive(request: pytest.FixtureRequest, way: tuple[str, str], tmp_path: Path) -> Archive:
    if way[0] == "directory":
        root = tmp_path / "archive"

        def write(path: str, data: bytes) -> None:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)

        root.mkdir()
        return Archive(str(root), write)
    service: Swift = request.getfixturevalue("s3")
    address = service.url(service.bucket(), "old/films")
    return Archive(address, Bucket.parse(address).put)


@pytest.fixture
def desk(request: pytest.FixtureRequest, way: tuple[str, str], tmp_path: Path) -> Desk:
    if way[1] == "local":
        return Desk(tmp_path / "data", {})
    service: Swift = request.getfixturevalue("s3")
    return Desk(tmp_path / "data", {"RUSHES_STORAGE_URL": service.url(service.bucket(), "videos")})


def test_a_back_catalogue_is_imported_once(archive: Archive, desk: Desk) -> None:
    files = archive.fill(12)
    archive.put("0/notes.txt", b"not a video")
    archive.put("0/empty.mp4", b"")
    # Given a rehearsal, which changes nothing
    rehearsed = desk.run(archive.address, "--dry-run", code=2)
    assert (rehearsed["imported"], rehearsed["dry_run"]) == (12, True)
    assert desk.assets() == {}
    # When it is imported
    report = desk.run(archive.address, code=2)
    # Then each video is an asset, with reasons for what is none
    assert (report["files"], report["imported"], report["bytes"]) == (14, 12, 12 * 300_000)
    assert report["skipped"] == {"not_a_video": 1}
    assert [(found["path"], found["code"]) for found in report["refused"]] == [("0/empty.mp4", "empty_file")]
    desk.assert_all(files)
    asset = desk.assets()["clip 7.mp4"]
    assert asset.metadata == {"imported_from": "0/clip 7.mp4"}
    assert (asset.state, asset.priority) == (AssetState.INGESTED, BACK_CATALOGUE)
    assert [upload.kind for upload in desk.catalog.uploads_of(asset.id)] == ["fetched"]
    # And a second time nothing happens
    again = desk.run(archive.address, code=2)
    assert (again["imported"], again["skipped"]) == (0, {"not_a_video": 1, "imported_before": 12})
    desk.assert_all(files)


def test_what_changed_since_is_imported_as_another(archive: Archive, desk: Desk) -> None:
    archive.put("a.mp4", b"one")
    desk.run(archive.address)
    archive.put("a.mp4", b"another")
    assert desk.run(archive.address)["imported"] == 1
    assert len(desk.catalog.assets(tenant=None)[0]) == 2


def test_an_import_that_is_killed_goes_on(archive: Archive, desk: Desk) -> None:
    files = archive.fill(20, 2_000_000)
    for _ in range(3):
        process = desk.start(archive.address, "--rate", "6MB/s", "--at-once", "3")
        before = len(finished(desk))
        wait_for(lambda before=before: len(finished(desk)) > before + 2, "some files")
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert 0 < len(finished(desk)) < 20
    report = desk.run(archive.address)
    assert report["imported"] + report["skipped"].get("imported_before", 0) == 20
    desk.recover()  # what was killed between an upload's end and its removal
    desk.assert_all(files)


def finished(desk: Desk) -> list[Asset]:
    return [asset for asset in desk.assets().values() if asset.source is not None]


def test_a_server_leaves_the_end_of_an_import_to_the_import(desk: Desk) -> None:
    """Which looks once more whether the file is still the same, and may be at it at this moment."""
    now = SystemClock().now()
    asset = Asset(id=new_id(now), tenant="default", created_at=now)
    upload = Upload(
        id=new_id(now), asset=asset.id, tenant="default", kind="fetched", length=5, created_at=now, expires_at=now + 600
    )
    uploads = open_upload_store(desk.settings, alone=False)
    desk.catalog.create_arrival(upload, asset, name="import:x")
    uploads.create(upload.id, store_key(upload), 5)
    appender = uploads.append(upload.id, 1)
    appender.write([b"bytes"])
    appender.commit()
    appender.close()
    desk.recover()
    assert desk.catalog.upload(upload.id).state == "open"
    assert uploads.stat(upload.id).size == 5


def test_ctrl_c_ends_it_in_good_order(archive: Archive, desk: Desk) -> None:
    files = archive.fill(10, 1_000_000)
    process = desk.start(archive.address, "--rate", "2MB/s", "--at-once", "2")
    wait_for(lambda: finished(desk), "the first file")
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors[-2000:]
    assert json.loads(out)["stopped"] is True
    assert desk.run(archive.address)["refused"] == []
    desk.assert_all(files)


def test_a_manifest_names_what_is_imported(archive: Archive, desk: Desk, tmp_path: Path) -> None:
    archive.fill(3)
    archive.put("raw.bin", b"what it is, the probe says")
    manifest = tmp_path / "list.csv"
    manifest.write_text(
        "path,title,tenant,external_id,metadata.series\n"
        "0/clip 1.mp4,Opening night,acme,film-1,nights\nraw.bin,,,,\n0/gone.mp4,,,,\n../../etc/passwd,,,,\n",
        encoding="utf-8",
    )
    report = desk.run(archive.address, "--manifest", str(manifest), "--tenant", "studio", code=2)
    assert report["imported"] == 2
    assert [found["code"] for found in report["refused"]] == ["not_found", "not_found"]
    assets = desk.assets()
    assert set(assets) == {"Opening night", "raw.bin"}
    opening = assets["Opening night"]
    assert (opening.tenant, opening.metadata["external_id"], opening.metadata["series"]) == ("acme", "film-1", "nights")
    assert assets["raw.bin"].tenant == "studio"


def test_what_is_too_large_is_refused_before_a_byte_is_read(archive: Archive, desk: Desk) -> None:
    archive.fill(2)
    desk.environment["RUSHES_UPLOAD_MAX_BYTES"] = "1000"
    report = desk.run(archive.address, code=2)
    assert {found["code"] for found in report["refused"]} == {"over_limit_bytes"}
    assert desk.assets() == {}


def test_one_bucket_to_another_of_the_same_server_is_copied_there(s3: Swift, tmp_path: Path) -> None:
    """No byte passes through us: the upload store is never called, which is seen by there being no part of an upload."""
    archive = Bucket.parse(s3.url(s3.bucket(), "old"))
    data = bytes_of(1, 12_000_000)
    archive.put("a.mp4", data)
    desk = Desk(tmp_path / "data", {"RUSHES_STORAGE_URL": s3.url(s3.bucket(), "videos")})
    # A rate of bytes would be kept by a copy as a whole, but by a stream piece by piece: for 12 s here
    report = desk.run(s3.url(archive.name, "old"), "--rate", "1MB/s")
    assert report["imported"] == 1
    asset = desk.assets()["a.mp4"]
    assert desk.source(asset) == data
    assert asset.source is not None
    assert "-" not in open_store(desk.settings.storage).head(asset.source.key).etag, "it was no multipart upload"


def test_a_copy_in_parts_is_whole_and_of_one_version(s3: Swift) -> None:
    old, new = Bucket.parse(s3.url(s3.bucket(), "old")), Bucket.parse(s3.url(s3.bucket(), "new"))
    data = bytes_of(2, 12_000_000)
    etag = old.put("a.mp4", data)
    copy_across(old, "a.mp4", etag, new, "sources/a", single=1_000_000)
    assert new.read("sources/a") == data
    old.put("a.mp4", b"another")
    with pytest.raises(ObjectMissing):
        copy_across(old, "a.mp4", etag, new, "sources/b")
    with pytest.raises(ObjectMissing):
        new.head("sources/b")


def test_imported_assets_give_way_to_those_that_people_wait_for(desk: Desk, tmp_path: Path) -> None:
    root = tmp_path / "films"
    root.mkdir()
    (root / "a.mp4").write_bytes(b"x")
    desk.run(str(root))
    with desk.store.database.read() as tx:
        rows = tx.all("SELECT key, priority FROM steps")
    assert {row["key"]: row["priority"] for row in rows}["probe"] == FAST + 1 + BACK_CATALOGUE


@pytest.mark.parametrize(
    "arguments", [("/no/such/folder",), ("s3://user@bucket/x",), (".", "--rate", "fast"), (".", "--at-once", "0")]
)
def test_a_wrong_command_is_said_in_a_sentence(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    desk = Desk(tmp_path / "data", {})
    process = desk.start(*arguments)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 64
    assert "Traceback" not in errors
