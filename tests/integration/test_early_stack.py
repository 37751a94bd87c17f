"""Work before the last byte on the whole stack: its web side, its worker, the real probe in its sandbox."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import pytest

from rushes.clock import SystemClock, pause
from rushes.ffmpeg.binary import find_binary
from rushes.testing import Stack

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {**TUS, "Content-Type": "application/offset+octet-stream"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Some 20 s of a standard movie with its index in front."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    picture, tone = "testsrc2=size=640x360:rate=30:duration=20", "sine=frequency=440:duration=20"
    command = [str(find_binary()), "-v", "error", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-g", "60", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    subprocess.run([*command, "-movflags", "+faststart", str(path)], check=True)
    return path.read_bytes()


@pytest.fixture
def make_stack(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    made: list[Stack] = []

    def make(**more: str) -> Stack:
        made.append(Stack(tmp_path / "data", speech_draft="false", **more))
        made[-1].start()
        return made[-1]

    yield make
    for stack in made:
        stack.kill()


def until(condition: Callable[[], Any], patience: float = 60.0) -> Any:
    clock = SystemClock()
    started = clock.monotonic()
    while not (found := condition()):
        assert clock.monotonic() - started < patience, "it did not come true in time"
        pause(0.02)
    return found


def create(stack: Stack, length: int) -> tuple[str, str]:
    """(address, asset)"""
    answer = httpx.post(f"{stack.url}/files", headers={**TUS, "Upload-Length": str(length)})
    assert answer.status_code == 201, answer.text
    return answer.headers["location"], answer.headers["rushes-asset"]


def send(url: str, offset: int, data: bytes) -> httpx.Response:
    return httpx.patch(url, content=data, headers={**BYTES, "Upload-Offset": str(offset)})


def shown(stack: Stack, asset: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{stack.url}/v1/assets/{asset}").json()
    return found


def states(stack: Stack, asset: str) -> dict[str, str]:
    return {step["key"]: step["state"] for step in shown(stack, asset)["steps"]}


def test_the_last_byte_starts_the_fast_lane_at_once(make_stack: Callable[..., Stack], clip: bytes) -> None:
    stack, half = make_stack(), len(clip) // 2
    url, asset = create(stack, len(clip))
    assert send(url, 0, clip[:half]).status_code == 204
    # When the probe is done before the last byte
    until(lambda: states(stack, asset).get("probe.early") == "done")
    early = shown(stack, asset)
    assert (early["state"], early["source"], early["early"]["width"]) == ("uploading", None, 640)
    assert send(url, half, clip[half:]).status_code == 204
    # Then what follows from it is planned by the last byte, and there is no other probe
    ingested = shown(stack, asset)
    assert (ingested["early"], ingested["source"]["video_codec"]) == (None, "h264")
    assert "remux" in states(stack, asset)
    assert "probe" not in states(stack, asset)
    ready = until(lambda: (found := shown(stack, asset))["state"] == "ready" and found)
    assert ready["source"]["frames"] == 600
    assert not list((stack.data / "objects").glob("early/*"))


def test_other_bytes_after_a_broken_connection_are_probed_anew(make_stack: Callable[..., Stack], clip: bytes) -> None:
    """The early probe saw what was never acknowledged."""
    stack = make_stack()
    url, asset = create(stack, len(clip))
    assert send(url, 0, clip[: len(clip) // 2]).status_code == 204
    until(lambda: states(stack, asset).get("probe.early") == "done")
    # When the stored bytes are others than those that were looked at
    stored = stack.data / "uploads" / url.rsplit("/", 1)[1]
    with stored.open("r+b") as file:
        file.seek(8)
        file.write(b"iso5")
    assert send(url, len(clip) // 2, clip[len(clip) // 2 :]).status_code == 204
    assert "probe" in states(stack, asset)
    until(lambda: shown(stack, asset)["state"] == "ready")


def test_a_kill_while_it_is_uploaded_costs_nothing_but_time(make_stack: Callable[..., Stack], clip: bytes) -> None:
    stack, half = make_stack(), len(clip) // 2
    url, asset = create(stack, len(clip))
    assert send(url, 0, clip[:half]).status_code == 204
    until(lambda: states(stack, asset).get("probe.early") in ("ready", "running", "done"))
    stack.kill()
    stack.start()
    offset = int(httpx.head(url, headers=TUS).headers["upload-offset"])
    assert offset == half
    assert send(url, half, clip[half:]).status_code == 204
    until(lambda: shown(stack, asset)["state"] == "ready")


def test_what_the_early_probe_finds_to_be_too_large_ends_the_request(
    make_stack: Callable[..., Stack], clip: bytes, tmp_path: Path
) -> None:
    shipped = (files("rushes") / "data" / "profiles" / "fast.toml").read_text(encoding="utf-8")
    profile = tmp_path / "small.toml"
    profile.write_text(f"{shipped}\n[limits]\nside = 320\n", encoding="utf-8")
    stack = make_stack(profile=str(profile))
    url, asset = create(stack, len(clip))
    # Given a request that is still sending
    head = (
        f"PATCH {url.removeprefix(stack.url)} HTTP/1.1\r\nHost: 127.0.0.1:{stack.port}\r\nTus-Resumable: 1.0.0\r\n"
        f"Content-Type: application/offset+octet-stream\r\nUpload-Offset: 0\r\nContent-Length: {len(clip)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", stack.port), timeout=60) as connection:
        connection.sendall(head.encode() + clip[: len(clip) // 2])
        answer = b""
        while b"over_limit_pixels" not in answer:
            more = connection.recv(65536)
            assert more, answer
            answer += more
    assert answer.startswith(b"HTTP/1.1 413 ")
    failed = shown(stack, asset)
    assert (failed["state"], failed["reason"]["code"]) == ("failed", "over_limit_pixels")
    assert httpx.head(url, headers=TUS).status_code == 404
    until(lambda: not (stack.data / "uploads" / url.rsplit("/", 1)[1]).exists())
