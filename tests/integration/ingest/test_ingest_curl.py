"""curl as a client of the IETF protocol: it shows every interim response, and can be made to break off."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import unavailable

MIB = 2**20
BROKEN_OFF = 28
"""curl's exit status after --max-time."""
VERSIONS = [3, 4, 5, 6, 7, 8]


@pytest.fixture(scope="module")
def server(shared_server):
    return shared_server


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(os.urandom(6 * MIB + 77))
    return path


@dataclass(frozen=True)
class Curl:
    """`version`: the interop version of the draft. Each has a tenant of its own."""

    version: int
    tenant: str

    def __call__(self, *arguments: str, body: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        own = ("-H", f"Upload-Draft-Interop-Version: {self.version}", "-H", f"X-Test-Tenant: {self.tenant}")
        command = ["curl", "-s", "-i", "--http1.1", "-H", "Expect:", *own, *arguments]
        return subprocess.run(command, input=body, capture_output=True, timeout=60, check=False)

    def complete(self, value: bool) -> tuple[str, str]:
        if self.version == 3:
            return "-H", f"Upload-Incomplete: ?{int(not value)}"
        return "-H", f"Upload-Complete: ?{int(value)}"

    @property
    def kind(self) -> tuple[str, str]:
        return "-H", "Content-Type: application/partial-upload"


@pytest.fixture(params=VERSIONS, ids=lambda version: f"interop-{version}")
def curl(request: pytest.FixtureRequest) -> Curl:
    if shutil.which("curl") is None:
        unavailable("curl")
    return Curl(request.param, f"t{secrets.token_hex(8)}")


def statuses(answer: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"^HTTP/1\.1 (\d{3})", answer, re.MULTILINE)]


def value(answer: bytes, name: str) -> str:
    """Of the first field of this name."""
    found = re.search(rf"^{name}: (.*?)\r$".encode(), answer, re.MULTILINE | re.IGNORECASE)
    assert found, answer
    return found[1].decode()


def check(server, curl: Curl, clip: Path) -> None:
    """There is one asset, with the bytes of the file."""
    [asset] = server.assets(**{"X-Test-Tenant": curl.tenant})
    assert server.source_sha(asset["id"]) == hashlib.sha256(clip.read_bytes()).hexdigest()


def test_a_whole_upload_is_announced_before_its_end(server, curl: Curl, clip: Path) -> None:
    done = curl("-X", "POST", "-T", str(clip), *curl.complete(True), f"{server.url}/files")
    assert done.returncode == 0
    assert statuses(done.stdout)[0] == 104
    assert 200 <= statuses(done.stdout)[-1] < 300
    assert value(done.stdout, "upload-draft-interop-version") == str(curl.version)
    assert value(done.stdout, "location").startswith(f"{server.url}/files/")
    check(server, curl, clip)


def test_an_upload_that_breaks_off_goes_on_where_it_stopped(server, curl: Curl, clip: Path) -> None:
    # Given an upload that its client gives up
    slow = ("--limit-rate", "2M", "--max-time", "1.5")
    broken = curl("-X", "POST", "-T", str(clip), *slow, *curl.complete(True), f"{server.url}/files")
    assert broken.returncode == BROKEN_OFF
    url = value(broken.stdout, "location")
    # When the client asks at the address from the 104 how far it was
    asked = curl("--head", url)
    offset = int(value(asked.stdout, "upload-offset"))
    assert 0 < offset < clip.stat().st_size
    # Then the rest completes it
    rest = clip.read_bytes()[offset:]
    headers = (*curl.kind, *curl.complete(True), "-H", f"Upload-Offset: {offset}")
    done = curl("-X", "PATCH", "--data-binary", "@-", *headers, url, body=rest)
    assert 200 <= statuses(done.stdout)[-1] < 300, done.stdout
    check(server, curl, clip)


def test_an_upload_in_pieces(server, curl: Curl, clip: Path) -> None:
    data, piece = clip.read_bytes(), 2 * MIB
    first = curl("-X", "POST", "--data-binary", "@-", *curl.complete(False), f"{server.url}/files", body=data[:piece])
    assert statuses(first.stdout)[-1] == 201
    url = value(first.stdout, "location")
    for at in range(piece, len(data), piece):
        last = at + piece >= len(data)
        headers = (*curl.kind, *curl.complete(last), "-H", f"Upload-Offset: {at}")
        done = curl("-X", "PATCH", "--data-binary", "@-", *headers, url, body=data[at : at + piece])
        assert 200 <= statuses(done.stdout)[-1] < 300, done.stdout
    check(server, curl, clip)


def test_a_stream_of_unknown_length(server, curl: Curl, clip: Path) -> None:
    arguments = ("-X", "POST", "-T", "-", "-H", "Transfer-Encoding: chunked", *curl.complete(True))
    done = curl(*arguments, f"{server.url}/files", body=clip.read_bytes())
    assert 200 <= statuses(done.stdout)[-1] < 300, done.stdout
    check(server, curl, clip)


def test_a_cancelled_upload_leaves_nothing(server, curl: Curl, clip: Path) -> None:
    made = curl("-X", "POST", "--data-binary", "@-", *curl.complete(False), f"{server.url}/files", body=b"hello")
    url = value(made.stdout, "location")
    assert statuses(curl("-X", "DELETE", url).stdout) == [204]
    assert statuses(curl("--head", url).stdout)[-1] == 404
