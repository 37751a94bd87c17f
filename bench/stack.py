"""A stack of one's own on a free port, for benchmarks."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx


@contextmanager
def running_stack(data: Path, **settings: str) -> Iterator[str]:
    """`rushes up` until the block ends; gives its URL once it is ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environment = {**os.environ, **{f"RUSHES_{name.upper()}": value for name, value in settings.items()}}
    data.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "rushes.cli", "up", "--port", str(port), "--data", str(data)]
    with open(data / "log", "wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        _wait(url, process)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(40)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError(f"the stack ended with {process.returncode}")
        try:
            if httpx.get(url + "/readyz").status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise TimeoutError("the stack was not ready within 60 s")
