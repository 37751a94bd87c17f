"""A stack of one's own on a free port, for tests and benchmarks of applications that use rushes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from rushes.chaos.member import free_port
from rushes.clock import pause

PATIENCE = 60.0
"""Seconds a stack may take to become ready."""


class Stack:
    """`rushes up` in processes of its own, on `data`; may be killed and started again on the same data and port."""

    def __init__(self, data: Path, **settings: str) -> None:
        """`settings` are those of the environment, without `RUSHES_`: `policy="strict"`. The profile is `fast`, the quickest,
        unless they name another."""
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = data.parent / f"{data.name}.log"
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("RUSHES_")}
        self._environment |= {
            f"RUSHES_{name.upper()}": value for name, value in {"profile": "fast", **settings}.items()
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, wait: bool = True) -> None:
        command = [sys.executable, "-m", "rushes.cli", "up", "--port", str(self.port), "--data", str(self.data)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        if wait:
            self.until_ready()

    def until_ready(self) -> None:
        for _ in range(int(PATIENCE * 10)):
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"the stack is not running; see {self.log}")
            try:
                if httpx.get(self.url + "/readyz").status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            pause(0.1)
        raise TimeoutError(f"the stack was not ready within {PATIENCE:.0f} s; see {self.log}")

    def kill(self) -> None:
        """kill -9 of the process that holds the stack; everything below it dies with it."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(60)


@contextmanager
def running_stack(data: Path, **settings: str) -> Iterator[Stack]:
    stack = Stack(data, **settings)
    stack.start()
    try:
        yield stack
    finally:
        stack.stop()
