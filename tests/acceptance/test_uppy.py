"""Uppy in Chromium, on a page of another origin, unchanged: the network breaks and it comes to its end."""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.conftest import unavailable
from tests.integration.ingest.conftest import Server
from tests.services.faulty import Reset, faulty
from tests.services.node import NODE, NodeMissing, installed

pytestmark = [pytest.mark.browser, pytest.mark.node]
MIB = 2**20
PAGE = "<!doctype html><title>Uppy</title><input type=file multiple><script src=uppy.js></script>"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page."""
    try:
        installed()
    except NodeMissing as error:
        unavailable(str(error))
    folder = tmp_path_factory.mktemp("page")
    (folder / "index.html").write_text(PAGE)
    bundler = NODE / "node_modules" / "esbuild" / "bin" / "esbuild"
    options = ["--bundle", "--format=iife", "--log-level=error", f"--outfile={folder / 'uppy.js'}"]
    subprocess.run([str(bundler), "uppy.mjs", *options], cwd=NODE, check=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("uppy") / "data", {}).start()
    yield started
    started.kill()


@pytest.fixture
def clips(tmp_path: Path) -> list[Path]:
    made = [tmp_path / f"clip {number}.mp4" for number in range(3)]
    for path in made:
        path.write_bytes(os.urandom(12 * MIB + 345))
    return made


def sent(page: Page, address: str, endpoint: str, files: list[Path], chunk: int | None = None) -> dict[str, Any]:
    page.goto(address)
    page.locator("input").set_input_files(files)
    result: dict[str, Any] = page.evaluate(
        "([endpoint, chunk]) => window.upload(endpoint, {}, chunk)", [endpoint, chunk]
    )
    return result


def sums(files: list[Path]) -> list[str]:
    return sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)


@pytest.mark.parametrize("chunk", [None, 2 * MIB], ids=["whole", "chunks"])
def test_uppy_gets_through_five_cuts(page: Page, elsewhere: str, server: Server, clips: list[Path], chunk: int | None):
    before = {asset["id"] for asset in server.assets()}
    # Given a network that breaks in the middle of five requests
    with faulty(server.port) as network:
        network.fault = Reset(times=5, method="PATCH", after=MIB)
        result = sent(page, elsewhere, f"http://127.0.0.1:{network.port}/files", clips[:1], chunk)
        hits = network.fault.hits
    # Then the file is there once, whole
    assert (len(result["done"]), result["failed"], hits) == (1, [], 5)
    new = [asset["id"] for asset in server.assets() if asset["id"] not in before]
    assert [server.source_sha(asset) for asset in new] == sums(clips[:1])


def test_uppy_waits_while_the_browser_is_offline(page: Page, elsewhere: str, server: Server, clips: list[Path]):
    before = {asset["id"] for asset in server.assets()}
    page.goto(elsewhere)
    page.locator("input").set_input_files(clips[:1])
    # Given an upload in small chunks, during which the browser loses its network five times
    page.evaluate(
        "(endpoint) => { window.result = window.upload(endpoint, {}, 65536); }",
        f"{server.url}/files",
    )
    for _ in range(5):
        page.wait_for_event("response", lambda answer: answer.request.method == "PATCH" and answer.ok)
        with page.expect_event("requestfailed"):
            page.context.set_offline(True)
        page.context.set_offline(False)
    # Then it comes to its end
    result = page.evaluate("() => window.result")
    assert (len(result["done"]), result["failed"]) == (1, [])
    new = [asset["id"] for asset in server.assets() if asset["id"] not in before]
    assert [server.source_sha(asset) for asset in new] == sums(clips[:1])


def test_uppy_sends_several_files_at_once(page: Page, elsewhere: str, server: Server, clips: list[Path]):
    before = {asset["id"] for asset in server.assets()}
    result = sent(page, elsewhere, f"{server.url}/files", clips)
    assert (len(result["done"]), result["failed"]) == (3, [])
    new = [asset for asset in server.assets() if asset["id"] not in before]
    assert sorted(server.source_sha(asset["id"]) for asset in new) == sums(clips)
    assert sorted(asset["title"] for asset in new) == [path.name for path in clips]
