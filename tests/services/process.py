"""A server that tests talk to, as one subprocess: `python -m MODULE FOLDER PORT`.

It prints its port once it listens, and ends when its standard input ends: so it dies with its parent, however that died.
"""

from __future__ import annotations

import os
import secrets
import select
import subprocess
import sys
import threading
import time
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0
"""Seconds within which a server has to listen."""


class Service:
    """Started when made; `stop` and `start` it at will: the port and the folder stay the same."""

    module = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns when the server listens. RuntimeError with the end of its log where it does not."""
        log = self.folder / "log.txt"
        command = [sys.executable, "-W", "ignore", "-m", self.module, str(self.folder), str(self.port)]
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )
        line = self._first_line()
        if not line.strip().isdigit():
            self.stop()
            raise RuntimeError(f"{self.module} did not start:\n{log.read_text(errors='replace')[-2000:]}")
        self.port = int(line)

    def stop(self) -> None:
        """Kill it, as a power cut would."""
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def memory(self) -> int:
        """Resident bytes of the server."""
        assert self._process
        pages = Path(f"/proc/{self._process.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def cpu(self) -> float:
        """Seconds of processor time that the server took so far (clock_getcpuclockid(3): the clock of another process)."""
        assert self._process
        return time.clock_gettime(((~self._process.pid) << 3) | 2)

    def _first_line(self) -> bytes:
        assert self._process
        assert self._process.stdout
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE)
        return self._process.stdout.readline() if ready else b""


class S3Service(Service):
    """A service that speaks S3 to those who have its keys."""

    access_key = secret_key = ""

    @property
    def environment(self) -> dict[str, str]:
        """Where boto3 looks for the keys."""
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}

    def bucket(self, name: str = "") -> str:
        """Make a bucket, of a new name unless one is given; gives the name."""
        from boto3.session import Session

        name = name or f"test-{secrets.token_hex(6)}"
        session = Session(self.access_key, self.secret_key, region_name="us-east-1")
        session.client("s3", endpoint_url=self.endpoint).create_bucket(Bucket=name)
        return name

    @cached_property
    def shared(self) -> str:
        """One bucket for tests that keep to a prefix of their own."""
        return self.bucket()

    def url(self, bucket: str, prefix: str = "") -> str:
        """The address of a store, as in the settings."""
        return f"s3://{bucket}/{prefix}?endpoint_url={self.endpoint}"


def die_with_parent(native: type[threading.Thread] = threading.Thread) -> None:
    """Ends this process when its standard input does. `native` is a thread of the system, not a green one."""
    read = os.read  # taken now: a green one may stand in its place later

    def watch() -> None:
        while read(0, 1024):
            pass
        os._exit(0)

    native(target=watch, daemon=True).start()


def announce(port: int) -> None:
    """To the parent: the server listens on this port."""
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
