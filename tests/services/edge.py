"""A caching edge with a configuration of `docker/`, as a process of its own on a port of the loopback, before an origin."""

from __future__ import annotations

import signal
import socket
import subprocess
from pathlib import Path
from typing import ClassVar

from rushes.chaos.member import free_port
from rushes.clock import SystemClock, pause

ROOT = Path(__file__).resolve().parents[2]
SECRET = "0123456789abcdef" * 3
"""As long as those of `make_env.py`."""
PATIENCE = 60.0
"""Seconds within which it has to listen."""


class Edge:
    """`url` answers as soon as it is made; `stop` ends it. It dies with the thread that started it."""

    name = ""
    environment: ClassVar[dict[str, str] | None] = None

    def __init__(self, folder: Path, origin: str, port: int = 0) -> None:
        """`origin`: `http://127.0.0.1:PORT`."""
        self.folder, self.origin = folder, origin
        self.port = port or free_port()
        self.log = folder / "log.txt"
        command = ["setpriv", "--pdeathsig", "KILL", *self.command()]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=self.environment)
        self._await()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def purge(self) -> dict[str, str]:
        """Settings by which our purges reach it."""
        return {"purge": self.name, "purge_url": self.url, "purge_secret": SECRET}

    def command(self) -> list[str]:
        """Writes the configuration into the folder; gives what to start."""
        raise NotImplementedError

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(PATIENCE)

    def _await(self) -> None:
        clock = SystemClock()
        until = clock.monotonic() + PATIENCE
        while not listens(self.port):
            if self._process.poll() is not None or clock.monotonic() > until:
                self._process.kill()
                said = self.log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self.name} did not start:\n{said}")
            pause(0.01)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
