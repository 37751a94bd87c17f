"""A large file from the page into a real stack: in parts, over a network that goes away, and a browser that dies."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import BrowserContext, Error, Page, Playwright, Response, expect, sync_playwright

from rushes.clock import SystemClock, pause
from rushes.ffmpeg.binary import find_binary
from rushes.storage.open import open_store
from rushes.testing import Stack, running_stack
from tests.acceptance.conftest import CHROMIUM
from tests.acceptance.corpus import record
from tests.conftest import unavailable

pytestmark = [pytest.mark.browser, pytest.mark.node]
SIZE = 72 * 2**20
RATE = 8 * 2**20
"""Bytes per second that the page may send, so that an upload can be met half-way."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, pages: Path) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("large") / "data", speech_draft="false") as running:
        yield running


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of video in 72 MiB: what follows is a box that players skip (ISO/IEC 14496-12, 8.1.2)."""
    path = tmp_path_factory.mktemp("clip") / "holidays.mp4"
    command = [str(find_binary()), "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=2"]
    subprocess.run([*command, "-c:v", "libx264", "-g", "25", "-pix_fmt", "yuv420p", str(path)], check=True)
    room = SIZE - path.stat().st_size
    with path.open("ab") as file:
        file.write(room.to_bytes(4, "big") + b"free")
        file.write(hashlib.shake_128(b"seed").digest(room - 8))
    return path


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@contextmanager
def chromium(playwright: Playwright, profile: Path) -> Iterator[tuple[BrowserContext, Page]]:
    """A Chromium with a profile on disk, which it finds again when it comes back."""
    found = next((path for path in map(shutil.which, CHROMIUM) if path), None)
    if found is None:
        unavailable("Chromium")
    arguments = ["--disable-dev-shm-usage", "--no-sandbox"]
    context = playwright.chromium.launch_persistent_context(profile, executable_path=found, args=arguments)
    try:
        yield context, context.pages[0]
    finally:
        try:
            context.close()
        except Error:  # one that was killed may be gone before it is closed; then it has to be gone
            until(lambda: not running(profile), "the browser ended")


def slow(context: BrowserContext, page: Page) -> None:
    conditions = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": RATE}
    context.new_cdp_session(page).send("Network.emulateNetworkConditions", conditions)


def until(condition, what: str, patience: float = 60.0) -> None:
    clock = SystemClock()
    deadline = clock.monotonic() + patience
    while not condition():
        assert clock.monotonic() < deadline, what
        pause(0.05)


def running(profile: Path) -> list[psutil.Process]:
    """The processes of the browser that has this profile."""
    every = psutil.process_iter(["cmdline", "status"])
    mine = [process for process in every if str(profile) in " ".join(process.info["cmdline"] or ())]
    return [process for process in mine if process.info["status"] != psutil.STATUS_ZOMBIE]


def crash(profile: Path) -> None:
    """kill -9 of every process of the browser that has this profile."""
    mine = running(profile)
    assert mine
    for process in mine:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def remembered(profile: Path) -> bool:
    """Whether the page's memory of the parts has reached the disk: a browser writes it a few seconds late."""
    logs = (profile / "Default" / "Local Storage" / "leveldb").glob("*.log")
    return any(b"parallelUploadUrls" in log.read_bytes().replace(b"\0", b"") for log in logs)


def sha_of_source(stack: Stack, asset: str) -> str:
    objects = open_store(f"file://{stack.data / 'objects'}")
    return hashlib.sha256(objects.read(f"sources/default/{asset}/1")).hexdigest()


def assets(stack: Stack) -> list[str]:
    return sorted(path.parent.name for path in (stack.data / "objects" / "sources" / "default").glob("*/1"))


@pytest.mark.timeout(240)
def test_a_large_file_goes_in_parts_and_on_after_a_crash_of_the_browser(
    stack: Stack, clip: Path, playwright: Playwright, tmp_path: Path
) -> None:
    profile = tmp_path / "profile"
    # Given a browser that dies in the middle of an upload
    with chromium(playwright, profile) as (context, page):
        page.goto(stack.url)
        slow(context, page)
        page.get_by_label("Drop videos here").set_input_files(clip)
        until(lambda: page.get_by_label("Uploaded").evaluate("bar => bar.value") > 0.1, "the upload began")
        until(lambda: remembered(profile), "the page remembered the upload")
        parts = list((stack.data / "uploads").iterdir())
        crash(profile)
    assert len(parts) >= 3
    # When it is started again and the same file is chosen
    offsets: list[int] = []

    def look(response: Response) -> None:
        if response.request.method == "HEAD" and "upload-offset" in response.headers:
            offsets.append(int(response.headers["upload-offset"]))

    with chromium(playwright, profile) as (_, page):
        page.on("response", look)
        page.goto(stack.url)
        expect(page.get_by_text("These uploads are not complete.")).to_be_visible()
        expect(page.locator("#unfinished")).to_contain_text("holidays")
        page.get_by_label("Drop videos here").set_input_files(clip)
        # Then it goes on where it was, and becomes one asset, which plays
        page.wait_for_function("() => window.rushesPlayer?.video.readyState >= 2", timeout=90_000)
        expect(page.locator(".card .badge")).to_have_text("Published", timeout=60_000)
    assert len(offsets) == 3
    assert sum(offsets) > SIZE * 0.05
    (asset,) = assets(stack)
    assert sha_of_source(stack, asset) == hashlib.sha256(clip.read_bytes()).hexdigest()
    assert record(stack.url, asset)["title"] == "holidays"
