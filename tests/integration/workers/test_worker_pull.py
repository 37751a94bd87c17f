"""Pulls by a real worker and its children: killed, cancelled, refused, repeated. On files and on S3."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rushes.catalog.arrival import Arrival
from rushes.clock import SystemClock
from rushes.errors import REASONS, Refused
from rushes.ingest import recovery
from rushes.ingest.gauges import Gauges
from rushes.ingest.open import open_upload_store
from rushes.ingest.pulls import Pulls
from rushes.ingest.reservations import OverQuota
from rushes.ingest.services import Services
from rushes.ingest.store import UploadMissing
from rushes.ingest.watermarks import Watermarks
from rushes.quotas import load_quotas
from rushes.states import AssetState, Pool, StepState
from rushes.storage.open import open_store
from tests.integration.workers.conftest import Works, children, until
from tests.services.files import File, FileServer, file_server
from tests.services.swift import Swift

DATA = random.Random(5).randbytes(20 * 2**20)
POOLS = (Pool.PULL,)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileServer]:
    with file_server(tmp_path_factory.mktemp("files")) as server:
        yield server


@pytest.fixture
def files(running: FileServer) -> FileServer:
    running.files.clear()
    running.seen.clear()
    return running


class Pulling(Works):
    """With the door for addresses."""

    def __init__(self, data: Path, files: FileServer, **settings: object) -> None:
        own = {"pull_private": "on", "pull_ports": str(files.port), "pull_ca_file": str(files.ca_file), "slots": 1}
        super().__init__(data, **{**own, **settings})
        self.uploads = open_upload_store(self.settings, alone=False)
        quotas, clock = load_quotas(self.settings), SystemClock()
        gauges = Gauges(self.catalog, self.uploads, self.settings, quotas, clock)
        self.pulls = Pulls(self.catalog, self.settings, quotas, gauges, Watermarks(self.objects), clock)

    def begin(self, url: str, tenant: str = "default", **more: object) -> Arrival:
        key = more.pop("key", None)
        return self.pulls.begin(tenant, {"url": url, **more}, str(key) if key else None)

    def state(self, asset: str) -> AssetState:
        return self.catalog.asset(asset).state

    def source(self, asset: str) -> bytes:
        found = self.catalog.asset(asset).source
        assert found is not None
        data = open_store(self.settings.storage).read(found.key)
        assert len(data) == found.size
        return data

    def stored(self, arrival: Arrival) -> int:
        try:
            return self.uploads.stat(arrival.upload.id).size
        except UploadMissing:
            return -1

    async def recover(self) -> None:
        await recovery.recover(
            Services(
                catalog=self.catalog, objects=self.objects, uploads=self.uploads, settings=self.settings,
                clock=SystemClock(), tenant_of=lambda _: "default",
            )
        )  # fmt: skip


@pytest.fixture(params=["files", "s3"])
def works(request: pytest.FixtureRequest, tmp_path: Path, files: FileServer) -> Pulling:
    if request.param == "files":
        return Pulling(tmp_path / "data", files)
    service: Swift = request.getfixturevalue("s3")
    return Pulling(tmp_path / "data", files, storage_url=service.url(service.bucket(), "videos"))


async def test_a_pull_becomes_the_source_of_its_asset(
    works: Pulling, files: FileServer, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    files.files["/a/clip.mp4?sig=s3cret"] = File(DATA)
    made = works.begin(files.url("/a/clip.mp4?sig=s3cret"), metadata={"show": "7"})
    assert (made.asset.title, made.asset.state, made.is_new) == ("clip.mp4", AssetState.UPLOADING, True)
    assert made.upload.kind == "fetched"
    async with works.working(POOLS):
        await until(lambda: works.state(made.asset.id) is not AssetState.UPLOADING)
    assert works.source(made.asset.id) == DATA
    found = works.catalog.asset(made.asset.id)
    assert found.source is not None and found.source.filename == "clip.mp4"
    assert found.metadata == {"show": "7"}
    assert {step.key: step.state for step in works.catalog.steps(found.id)} == {
        "pull": StepState.DONE, **dict.fromkeys(("probe", "remux", "checksum"), StepState.READY),
    }  # fmt: skip
    assert [event.type for event in works.catalog.events()] == ["asset.created", "asset.ingested"]
    said = capfd.readouterr()
    assert "s3cret" not in found.model_dump_json() + said.out + said.err + caplog.text
    assert works.catalog.upload(made.upload.id).length == len(DATA)


async def test_a_worker_that_is_killed_leaves_what_it_fetched_to_the_next(works: Pulling, files: FileServer) -> None:
    gate = threading.Event()
    files.files["/clip.mp4"] = File(DATA, gate=gate)
    made = works.begin(files.url("/clip.mp4"))
    async with works.working(POOLS):
        # Given a pull that is half way
        await until(lambda: works.is_running(made.asset.id, "pull", beyond=0.45))
        await until(lambda: works.stored(made) >= 8 * 2**20)
        # When its process is killed, three times over
        for _ in range(3):
            before = len(files.seen)
            for child in children():
                child.send_signal(signal.SIGKILL)
            await until(lambda before=before: len(files.seen) > before)
        gate.set()
        # Then others go on where it was, and the file is whole
        await until(lambda: works.state(made.asset.id) is not AssetState.UPLOADING)
    assert works.source(made.asset.id) == DATA
    first, *later = files.ranges("/clip.mp4")
    assert first is None
    assert all(asked is not None and int(asked[6:-1]) >= 8 * 2**20 for asked in later)
    assert len(works.catalog.assets(tenant="default")[0]) == 1


async def test_what_nobody_can_fetch_fails_with_its_reason(works: Pulling, files: FileServer) -> None:
    made = works.begin(files.url("/missing.mp4"))
    async with works.working(POOLS):
        await until(lambda: works.state(made.asset.id).is_final)
    found = works.catalog.asset(made.asset.id)
    assert found.reason is not None
    assert (found.reason.code, found.reason.message) == ("pull_not_found", REASONS["pull_not_found"])
    assert works.catalog.upload(made.upload.id).state == "terminated"
    assert works.catalog.why(made.asset.id).startswith("It failed (pull_not_found)")


async def test_a_server_that_is_busy_is_asked_again(works: Pulling, files: FileServer) -> None:
    files.files["/clip.mp4"] = File(DATA, status=503, refusals=2)
    made = works.begin(files.url("/clip.mp4"))
    async with works.working(POOLS):
        await until(lambda: works.state(made.asset.id) is not AssetState.UPLOADING)
    assert works.source(made.asset.id) == DATA
    step = works.step(made.asset.id, "pull")
    assert step is not None and step.attempts == 3


async def test_a_pull_that_is_cancelled_leaves_nothing(works: Pulling, files: FileServer) -> None:
    files.files["/clip.mp4"] = File(DATA, gate=threading.Event())
    made = works.begin(files.url("/clip.mp4"))
    async with works.working((*POOLS, Pool.IO)):
        await until(lambda: works.is_running(made.asset.id, "pull", beyond=0.3))
        works.catalog.cancel(made.asset.id)
        await until(lambda: works.all_final(made.asset.id))
    await works.recover()
    assert works.stored(made) == -1
    assert list(works.objects.list("sources/")) == []
    found = works.catalog.asset(made.asset.id)
    assert found.reason is not None and found.reason.code == "cancelled"
    assert found.source is None


async def test_why_says_that_it_is_fetched(works: Pulling, files: FileServer) -> None:
    gate = threading.Event()
    files.files["/clip.mp4"] = File(DATA, gate=gate)
    made = works.begin(files.url("/clip.mp4"))
    assert "waits to be fetched" in works.catalog.why(made.asset.id)
    async with works.working(POOLS):
        await until(lambda: works.is_running(made.asset.id, "pull", beyond=0.3))
        assert "is being fetched" in works.catalog.why(made.asset.id)
        gate.set()
        await until(lambda: works.state(made.asset.id) is not AssetState.UPLOADING)


def test_the_same_request_gives_the_same_asset(works: Pulling, files: FileServer) -> None:
    first = works.begin(files.url("/a.mp4"), key="retry-1")
    again = works.begin(files.url("/a.mp4"), key="retry-1")
    assert (again.asset.id, again.is_new) == (first.asset.id, False)
    assert works.begin(files.url("/a.mp4"), tenant="other", key="retry-1").is_new
    with pytest.raises(Refused, match="idempotency_key_reused"):
        works.begin(files.url("/b.mp4"), key="retry-1")


def test_after_a_failure_the_same_request_begins_anew(works: Pulling, files: FileServer) -> None:
    first = works.begin(files.url("/a.mp4"), key="retry-1")
    works.catalog.cancel(first.asset.id)
    again = works.begin(files.url("/a.mp4"), key="retry-1")
    assert again.is_new
    assert again.asset.id != first.asset.id


@pytest.mark.parametrize(
    "request_",
    [
        {"url": "http://example.com/x"}, {"url": "https://169.254.169.254:{port}/"}, {"url": "https://localhost:22/"},
        {"url": "https://user:pw@localhost:{port}/"}, {"url": "https://[::ffff:127.0.0.1]:{port}/"},
    ],
)  # fmt: skip
def test_an_address_that_we_do_not_go_to_is_refused_at_once(
    works: Pulling, files: FileServer, request_: dict[str, str]
) -> None:
    with pytest.raises(Refused, match="pull_refused_address"):
        works.begin(request_["url"].replace("{port}", str(files.port)))
    assert works.catalog.assets(tenant=None)[0] == []


def test_a_policy_that_is_not_the_tenants_is_refused(works: Pulling, files: FileServer) -> None:
    with pytest.raises(Refused, match="policy_not_allowed"):
        works.begin(files.url("/a.mp4"), policy="strict")
    with pytest.raises(Refused, match="profile_not_allowed"):
        works.begin(files.url("/a.mp4"), profile="/etc/passwd.toml")


def test_a_pull_counts_as_an_upload_of_its_tenant(tmp_path: Path, files: FileServer) -> None:
    works = Pulling(tmp_path / "data", files, tenant_open_uploads=1)
    first = works.begin(files.url("/a.mp4"), key="retry-1")
    with pytest.raises(OverQuota, match="too_many_uploads"):
        works.begin(files.url("/b.mp4"))
    assert works.begin(files.url("/a.mp4"), key="retry-1").asset.id == first.asset.id
    works.catalog.cancel(first.asset.id)
    assert works.begin(files.url("/b.mp4")).is_new


async def test_slow_pulls_keep_no_other_step_waiting(works: Pulling, files: FileServer, quick_clip: Path) -> None:
    # Given as many pulls as the worker takes, and more, all of them stuck
    gate = threading.Event()
    for number in range(6):
        files.files[f"/{number}"] = File(DATA, gate=gate)
        works.begin(files.url(f"/{number}"))
    upload = works.ingest(quick_clip)
    async with works.working():
        # Then an upload is processed beside them
        await until(lambda: works.state(upload) is AssetState.READY)
        gate.set()
