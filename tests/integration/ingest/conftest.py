"""A server to upload to, that a test may stop, kill and start again."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from rushes.chaos.member import free_port
from rushes.clock import pause
from rushes.ingest.multipart import prefix
from rushes.ingest.s3 import S3UploadStore
from rushes.ingest.store import UploadMissing
from rushes.storage.bucket import Bucket
from rushes.storage.open import open_store
from tests.conftest import unavailable
from tests.integration.ingest.limited import Limited
from tests.integration.ingest.s3_doomed import moto_client, new_bucket
from tests.services.node import NodeMissing, installed
from tests.services.swift import Swift

TUS = {"Tus-Resumable": "1.0.0"}
PATCH = {**TUS, "Content-Type": "application/offset+octet-stream"}


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
    """Poll until the condition gives something true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        pause(0.01)
    raise AssertionError(f"{what} did not come within {seconds} s")


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with moto_client() as client:
        yield client


@pytest.fixture
def bucket(client: Any) -> Bucket:
    return new_bucket(client)


class Server:
    def __init__(self, data: Path, options: dict[str, Any]) -> None:
        self.data, self.options = data, options
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.log = data.parent / f"server-{self.port}.log"
        self.bucket = Bucket.parse(options["storage"]) if "storage" in options else None

    def start(self) -> Server:
        script = Path(__file__).with_name("server.py")
        arguments = [sys.executable, str(script), str(self.data), str(self.port), json.dumps(self.options)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(arguments, env={**os.environ, "PYTHONUNBUFFERED": "1"}, stderr=log)
        wait_for(self._answers, "the server")
        return self

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text(errors="replace")[-2000:]
        try:
            return httpx.options(f"{self.url}/files").status_code == 204
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        self.end(signal.SIGKILL)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(20)

    # -- the protocol by hand -----------------------------------------------------------------------------------------

    def create(self, length: int, **headers: str) -> str:
        answer = httpx.post(f"{self.url}/files", headers={**TUS, "Upload-Length": str(length), **headers})
        assert answer.status_code == 201, answer.text
        return answer.headers["location"]

    def head(self, url: str) -> httpx.Response:
        return httpx.head(url, headers=TUS)

    def offset(self, url: str) -> int:
        answer = self.head(url)
        assert answer.status_code == 200, answer.status_code
        return int(answer.headers["upload-offset"])

    def patch(self, url: str, offset: int, data: bytes, **headers: str) -> httpx.Response:
        return httpx.patch(url, content=data, headers={**PATCH, "Upload-Offset": str(offset), **headers})

    def half_a_patch(self, url: str, offset: int, data: bytes, announced: int) -> socket.socket:
        """Send the head of a PATCH of `announced` bytes and only `data` of it; the connection stays open."""
        path = url.removeprefix(self.url)
        head = (
            f"PATCH {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nTus-Resumable: 1.0.0\r\n"
            f"Content-Type: application/offset+octet-stream\r\nUpload-Offset: {offset}\r\n"
            f"Content-Length: {announced}\r\n\r\n"
        )
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.sendall(head.encode() + data)
        return connection

    def stored(self, url: str) -> int:
        """Bytes in the upload's own file or states; -1 where there is none."""
        upload = url.rsplit("/", 1)[1]
        if self.bucket:
            try:
                return S3UploadStore(self.bucket).stat(upload).size
            except UploadMissing:
                return -1
        path = self.data / "uploads" / upload
        return path.stat().st_size if path.exists() else -1

    def stored_ids(self) -> set[str]:
        """Uploads that have bytes here, be it none."""
        if self.bucket:
            return {name for name, _ in S3UploadStore(self.bucket).list()}
        return {path.name for path in (self.data / "uploads").iterdir()}

    def states(self, url: str) -> list[str]:
        """Names of the upload's states."""
        assert self.bucket
        return [found["Key"] for found in self.bucket.list(prefix(url.rsplit("/", 1)[1]))]

    def asset(self, identity: str) -> dict[str, Any]:
        return httpx.get(f"{self.url}/v1/assets/{identity}").json()

    def assets(self, **headers: str) -> list[dict[str, Any]]:
        """All assets of the tenant whom the headers name."""
        return httpx.get(f"{self.url}/v1/assets", headers=headers).json()

    def source_sha(self, identity: str) -> str:
        """SHA-256 of the asset's source, read from the object store. It is waited for: what is joined may come to its end
        behind the answer."""
        source = wait_for(lambda: self.asset(identity)["source"], "the asset's source")
        objects = open_store(self.options.get("storage") or f"file://{self.data / 'objects'}")
        data = objects.read(source["key"])
        assert len(data) == source["size"]
        return hashlib.sha256(data).hexdigest()


@pytest.fixture(scope="session")
def node() -> str:
    """Node, with the packages of the tests installed beside their scripts."""
    try:
        return installed()
    except NodeMissing as error:
        unavailable(str(error))
        raise


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def start(**options: Any) -> Server:
        started.append(Server(tmp_path / "data", options))
        return started[-1].start()

    yield start
    for server in started:
        server.kill()


@pytest.fixture
def server(start_server: Callable[..., Server]) -> Server:
    """A server of the test's own, to be killed."""
    return start_server()


@pytest.fixture(scope="session")
def s3_keys(swift: Swift) -> Iterator[Swift]:
    """Swift, with its keys where boto3 looks for them, for longer than one test."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in swift.environment.items():
            patch.setenv(name, value)
        yield swift


@pytest.fixture(scope="module", params=["local", "s3"])
def shared_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """For tests that only speak to it. Once with files, once with S3 and leases in the catalog."""
    options: dict[str, Any] = {}
    if request.param == "s3":
        service: Swift = request.getfixturevalue("s3_keys")
        options = {"storage": service.url(service.bucket(), "videos"), "fleet": True}
    server = Server(tmp_path_factory.mktemp("ingest") / "data", options).start()
    yield server
    server.kill()


@pytest.fixture
def make_house(tmp_path: Path) -> Iterator[Callable[..., Limited]]:
    """Starts servers with settings of the test's own."""
    with ExitStack() as running:

        def make(**settings: Any) -> Limited:
            return running.enter_context(Limited(tmp_path / secrets.token_hex(4), **settings).running())

        yield make
