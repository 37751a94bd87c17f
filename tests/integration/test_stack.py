"""`rushes up` as an operator meets it: started, stopped, interrupted twice, its parts killed one by one."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from rushes.catalog.sqlite import SqliteDatabase
from rushes.clock import SystemClock, pause
from rushes.embedded import Part, locked, reserve_port, supervise
from rushes.errors import RushesError
from rushes.ffmpeg.binary import find_binary
from rushes.settings import SettingsError
from rushes.testing import Stack
from tests.acceptance.corpus import upload
from tests.services.children import command_of, living

AT_ONCE = 15.0
"""Seconds, on a machine that may be busy; a drain may last twenty. That an idle worker waits for nothing is seen by itself, in
`tests/integration/workers`."""


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    made = Stack(tmp_path / "data", speech_draft="false")
    yield made
    made.kill()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mkv"
    picture = "testsrc2=size=1280x720:rate=30:duration=8"
    command = [str(find_binary()), "-v", "error", "-f", "lavfi", "-i", picture, "-c:v", "mpeg4", "-q:v", "5", str(path)]
    subprocess.run(command, check=True)
    return path


def until(condition: Callable[[], object], patience: float = 60.0) -> float:
    """Wait for it; gives the seconds it took."""
    clock = SystemClock()
    started = clock.monotonic()
    while not condition():
        assert clock.monotonic() - started < patience, "it did not come true in time"
        pause(0.02)
    return clock.monotonic() - started


def family(stack: Stack) -> list[psutil.Process]:
    """The process of `rushes up` and all below it."""
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if "up" in line and str(stack.data) in line:
            with suppress(psutil.NoSuchProcess):
                return [process, *process.children(recursive=True)]
    return []


def kinds(processes: list[psutil.Process]) -> bool:
    """All that there is of a stack that encodes."""
    said = " ".join(map(command_of, processes))
    return all(part in said for part in ("rushes.cli serve", "rushes.cli worker", "rushes.workers.child", "libx264"))


def named(stack: Stack, part: str) -> list[psutil.Process]:
    return [process for process in family(stack) if part in command_of(process)]


def state(stack: Stack, asset: str) -> dict[str, object]:
    found: dict[str, object] = httpx.get(f"{stack.url}/v1/assets/{asset}").json()
    return found


def encodes(stack: Stack, asset: str) -> bool:
    """The encode is under way, and has its tool."""
    steps: list[dict[str, str]] = state(stack, asset)["steps"]  # type: ignore[assignment] # it is JSON
    return ("encode.0", "running") in [(step["key"], step["state"]) for step in steps] and bool(named(stack, "libx264"))


def test_an_idle_stack_stops_quickly_and_its_log_is_fit_to_read(stack: Stack) -> None:
    stack.start()
    until(lambda: len(named(stack, "rushes.workers.child")) >= 3)
    below = family(stack)
    started = SystemClock().monotonic()
    stack.stop()
    took = SystemClock().monotonic() - started
    assert took < AT_ONCE
    assert living(below) == []
    text = stack.log.read_text()
    assert "Traceback" not in text
    assert "error" not in text.lower()
    dated = [line for line in text.splitlines() if re.match(r"\d{4}-", line)]
    assert len(dated) == len(set(dated))


def test_a_second_interrupt_is_harmless(stack: Stack) -> None:
    stack.start()
    (first, *_) = below = family(stack)
    for _ in range(3):
        if first.is_running():
            first.send_signal(signal.SIGINT)
        pause(0.05)
    until(lambda: not living(below), 10)
    assert "Traceback" not in stack.log.read_text()


def test_a_port_in_use_is_a_sentence_and_not_a_loop(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "rushes.cli", "up", "--port", str(port), "--data", str(tmp_path / "data")]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert f"Nothing can listen on port {port} of 127.0.0.1: it is in use already." in " ".join(ended.stderr.split())
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


def test_an_address_that_is_not_ours_is_a_sentence() -> None:
    with pytest.raises(RushesError, match=r"Nothing can listen on port 8000 of 192\.0\.2\.1"):
        reserve_port("192.0.2.1", 8000)


def test_a_directory_holds_one_stack(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(SettingsError, match="Another rushes is running"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


@pytest.mark.timeout(180)
def test_a_worker_that_is_killed_is_replaced_and_its_asset_gets_ready(stack: Stack, clip: Path) -> None:
    stack.start()
    asset = upload(stack.url, clip)
    until(lambda: encodes(stack, asset))
    # When the worker process is killed in the middle of an encode
    # Its children have its command line too, until they have their own
    worker = next(process for process in family(stack)[0].children() if "rushes.cli worker" in command_of(process))
    below = [worker, *worker.children(recursive=True)]
    worker.kill()
    until(lambda: not living(below), 10)
    # Then another takes over, long before the lease of 30 s has expired
    took = until(lambda: re.search(r"took back \d+ steps", stack.log.read_text()), 25)
    assert took < 15
    until(lambda: state(stack, asset)["state"] == "ready", 120)
    until(lambda: state(stack, asset)["publication"] == "published")


@pytest.mark.timeout(120)
def test_killing_the_stack_leaves_no_process(stack: Stack, clip: Path) -> None:
    stack.start()
    upload(stack.url, clip)
    below: list[psutil.Process] = []

    def is_whole() -> bool:
        below[:] = family(stack)
        return kinds(below)

    until(is_whole)
    stack.kill()
    assert until(lambda: not living(below)) < AT_ONCE


@pytest.mark.timeout(120)
def test_a_stack_that_works_stops_at_once_and_gives_its_steps_back(stack: Stack, clip: Path) -> None:
    stack.start()
    asset = upload(stack.url, clip)
    until(lambda: encodes(stack, asset))
    below = family(stack)
    started = SystemClock().monotonic()
    stack.stop()
    assert SystemClock().monotonic() - started < AT_ONCE
    assert living(below) == []
    assert "Traceback" not in stack.log.read_text()
    with SqliteDatabase(stack.data / "rushes.db").read() as tx:
        step = tx.one("SELECT state, attempts FROM steps WHERE key = 'encode.0'")
    assert step is not None
    assert (step["state"], step["attempts"]) == ("ready", 0)


async def test_a_part_that_refuses_its_settings_ends_the_stack() -> None:
    environment = {**os.environ, "RUSHES_SLOTS": "many"}
    assert await supervise([Part("worker", ("worker",), environment)]) == 64
