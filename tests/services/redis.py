"""A real redis-server on a free port of the loopback, with a password and its log of changes (AOF) on.

It can be stopped, killed, frozen and started again: port, password and data stay. It dies with the thread that started it.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote

import redis

from rushes.chaos.member import free_port
from rushes.clock import SystemClock, pause

PASSWORD = "p@ss/w:rd %"
PATIENCE = 60.0
"""Seconds within which it has to answer."""


class RedisServer:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.client = redis.Redis(port=self.port, password=PASSWORD, socket_timeout=5)
        self.start()

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def url(self, namespace: str, password: str = PASSWORD) -> str:
        """The address of a doorbell, as in the settings."""
        return f"redis://:{quote(password, safe='')}@127.0.0.1:{self.port}/0?namespace={namespace}"

    def start(self) -> None:
        """Returns when the server answers. RuntimeError with the end of its log where it does not."""
        log = self.folder / "redis.log"
        self._process = subprocess.Popen([
            "setpriv", "--pdeathsig", "KILL", "redis-server", "--bind", "127.0.0.1", "--port", str(self.port),
            "--dir", str(self.folder), "--appendonly", "yes", "--save", "", "--requirepass", PASSWORD,
            "--logfile", str(log),
        ])  # fmt: skip
        clock = SystemClock()
        until = clock.monotonic() + PATIENCE
        while not self._answers():
            if self._process.poll() is not None or clock.monotonic() > until:
                self.kill()
                raise RuntimeError(f"redis-server did not start:\n{log.read_text(errors='replace')[-2000:]}")
            pause(0.01)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.ConnectionError:
            return False

    def stop(self) -> None:
        """In good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As a power cut would."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """It takes connections and bytes (the system does) and answers nothing: a black hole."""
        assert self._process
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process
        os.kill(self._process.pid, signal.SIGCONT)

    def flush(self) -> None:
        """Forget all: keys and scripts."""
        self.client.flushall()
        self.client.script_flush()

    def _end(self, number: signal.Signals) -> None:
        if self._process:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None
