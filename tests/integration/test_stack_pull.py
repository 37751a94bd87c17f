"""`POST /v1/assets` on a whole stack: fetched while it is killed, played at the end; and what the API refuses."""

from __future__ import annotations

import hashlib
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from rushes.ffmpeg.binary import find_binary
from rushes.testing import Stack
from tests.integration.test_stack import until
from tests.services.files import File, FileServer, file_server


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileServer]:
    with file_server(tmp_path_factory.mktemp("files")) as server:
        yield server


@pytest.fixture
def stack(tmp_path: Path, files: FileServer) -> Iterator[Stack]:
    files.files.clear()
    files.seen.clear()
    made = Stack(
        tmp_path / "data", speech_draft="false", pull_private="on", pull_ports=str(files.port),
        pull_ca_file=str(files.ca_file),
    )  # fmt: skip
    made.start()
    yield made
    made.kill()


def clip(folder: Path) -> bytes:
    """So many megabytes that some of them are written when a pull is in the middle."""
    path = folder / "clip.mp4"
    picture = "testsrc2=size=1280x720:rate=30:duration=2,noise=alls=20:allf=t"
    coding = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "18", "-g", "60", "-pix_fmt", "yuv420p")
    command = [str(find_binary()), "-v", "error", "-f", "lavfi", "-i", picture, *coding, str(path)]
    subprocess.run(command, check=True)
    data = path.read_bytes()
    assert len(data) > 8 * 2**20
    return data


def asset(stack: Stack, identity: str) -> dict[str, Any]:
    return dict(httpx.get(f"{stack.url}/v1/assets/{identity}", timeout=10).json())


def pull_of(stack: Stack, identity: str) -> dict[str, Any]:
    return next(step for step in asset(stack, identity)["steps"] if step["key"] == "pull")


def test_a_stack_that_is_killed_while_it_fetches_goes_on_and_plays(
    stack: Stack, files: FileServer, tmp_path: Path
) -> None:
    data, gate = clip(tmp_path), threading.Event()
    files.files["/clip.mp4"] = File(data, gate=gate)
    body = {"url": files.url("/clip.mp4"), "title": "Opening night", "metadata": {"show": "7"}}
    made = httpx.post(f"{stack.url}/v1/assets", json=body, headers={"Idempotency-Key": "one"}, timeout=10)
    assert made.status_code == 201, made.text
    identity = made.json()["id"]
    assert made.headers["location"] == f"/v1/assets/{identity}"
    assert (made.json()["state"], made.json()["title"]) == ("uploading", "Opening night")
    # Given a pull that is half way
    until(lambda: pull_of(stack, identity)["progress"] > 0.4)
    until(lambda: sum(path.stat().st_size for path in (stack.data / "uploads").iterdir()))
    # When all of the stack is killed and started again
    stack.kill()
    stack.start()
    gate.set()
    again = httpx.post(f"{stack.url}/v1/assets", json=body, headers={"Idempotency-Key": "one"}, timeout=10)
    assert (again.status_code, again.json()["id"]) == (200, identity)
    # Then it went on where it was, and the video plays
    until(lambda: asset(stack, identity)["state"] == "ready", 120)
    found = asset(stack, identity)
    until(lambda: asset(stack, identity)["source"]["sha256"])
    assert asset(stack, identity)["source"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert found["source"]["filename"] == "clip.mp4"
    assert files.ranges("/clip.mp4")[0] is None
    assert files.ranges("/clip.mp4")[1] is not None
    assert len(httpx.get(f"{stack.url}/v1/assets", timeout=10).json()["items"]) == 1
    assert str(files.port) not in httpx.get(f"{stack.url}/v1/assets/{identity}", timeout=10).text


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "invalid_request"),
        ({"url": 5}, 422, "invalid_request"),
        ({"url": "https://example.com/x", "colour": "red"}, 422, "invalid_request"),
        ({"url": "https://example.com/" + "x" * 9000}, 422, "invalid_request"),
        ({"url": "ftp://example.com/x"}, 400, "pull_refused_address"),
        ({"url": "https://169.254.169.254:{port}/latest/meta-data"}, 400, "pull_refused_address"),
        ({"url": "https://user:pw@localhost:{port}/x"}, 400, "pull_refused_address"),
        ({"url": "https://0x7f000001:{port}/x"}, 400, "pull_refused_address"),
        ({"url": "https://localhost:{port}/x", "policy": "../../etc/passwd"}, 400, "policy_not_allowed"),
        ({"url": "https://localhost:{port}/x", "metadata": {"k": "v" * 2000}}, 422, "invalid_request"),
    ],
)
def test_what_cannot_be_fetched_is_said_at_once(
    refusing: Stack, files: FileServer, body: dict[str, Any], status: int, code: str
) -> None:
    text = {
        name: value.replace("{port}", str(files.port)) if isinstance(value, str) else value
        for name, value in body.items()
    }
    answer = httpx.post(f"{refusing.url}/v1/assets", json=text, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "pw" not in answer.text
    assert httpx.get(f"{refusing.url}/v1/assets", timeout=10).json()["items"] == []


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory, files: FileServer) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("refusing") / "data", pull_private="on", pull_ports=str(files.port))
    made.start()
    yield made
    made.kill()
