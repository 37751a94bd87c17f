"""Servers to look at, started here: rushes, and the reference server of tus beside it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from rushes.chaos.member import free_port
from rushes.clock import pause
from rushes.storage.open import open_store
from tests.integration.ingest.conftest import TUS, Server
from tests.services.node import NODE, installed


@dataclass(frozen=True)
class Served:
    """A running server. `read` gives the stored bytes of an upload by its address, if there is a way."""

    name: str
    url: str
    read: Callable[[str], bytes] | None


@contextmanager
def rushes(folder: Path, **options: Any) -> Iterator[Served]:
    """Catalog and files in the folder, or as the options of the tests' server say; no workers."""
    server = Server(folder / "data", options)
    objects = open_store(options.get("storage") or f"file://{server.data / 'objects'}")

    def read(url: str) -> bytes:
        asset = httpx.head(url, headers=TUS).headers["rushes-asset"]
        return objects.read(server.asset(asset)["source"]["key"])

    server.start()
    try:
        yield Served("rushes", f"{server.url}/files", read)
    finally:
        server.end()


@contextmanager
def tus_node(folder: Path) -> Iterator[Served]:
    """@tus/server with @tus/file-store, of the versions in tests/integration/node/package.json. Raises NodeMissing."""
    port, data = free_port(), folder / "tus-node"
    data.mkdir(parents=True)
    with (folder / "tus-node.log").open("wb") as log:
        command = [installed(), str(NODE / "restarting-server.mjs"), str(port), str(data)]
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    url = f"http://127.0.0.1:{port}/files"
    try:
        until(lambda: httpx.options(url).status_code == 204, process)
        yield Served("@tus/server", url, lambda at: httpx.get(at).content)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)
        died = (folder / "tus-node.log").read_text(errors="replace").count("died, and was started again")
        if died:
            sys.stdout.write(f"(@tus/server died {died} times, and was started again)\n")


def until(answers: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Wait for a server that is starting."""
    for _ in range(400):
        if process.poll() is not None:
            raise RuntimeError("the server ended as soon as it was started")
        try:
            if answers():
                return
        except httpx.TransportError:
            pass
        pause(0.05)
    raise RuntimeError("the server did not answer within 20 s")
