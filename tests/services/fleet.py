"""A fleet on this machine: PostgreSQL, Redis, Swift's S3, servers and workers, all of them processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx
import psutil

from rushes.chaos.member import free_port
from rushes.clock import SystemClock, pause

PATIENCE = 60.0
"""Seconds a process may take to be ready."""


class Member:
    """One process of the fleet, in a session of its own, with its log."""

    def __init__(self, name: str, arguments: Sequence[str], environment: dict[str, str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._arguments, self._environment = arguments, environment
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Member:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "rushes.cli", *self._arguments],
                env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        return self

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    def send(self, number: signal.Signals) -> None:
        """To this process alone: its children notice by themselves, or not."""
        os.kill(self.pid, number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Gives the exit code."""
        assert self.process
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


class Fleet:
    """`environment`: the settings that all members share: where database, doorbell and store are."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.members: list[Member] = []
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("RUSHES_", "AWS_"))}
        self.environment = clean | {
            "RUSHES_DATA": str(folder / "data"), "RUSHES_CONFIG": os.devnull, "RUSHES_LOG_FORMAT": "json",
            "RUSHES_PREVIEW_SECRET": "the same on every server", "RUSHES_SPEECH_DRAFT": "false", "RUSHES_PROFILE": "fast",
            **environment,
        }  # fmt: skip

    def migrate(self) -> None:
        command = [sys.executable, "-m", "rushes.cli", "migrate"]
        subprocess.run(command, env=self.environment, check=True, capture_output=True)

    def serve(self, *, wait: bool = True) -> str:
        """Another web server; gives its address."""
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        self._add(f"api-{len(self.members)}", ["serve", "--port", str(port)])
        if wait:
            self.until(lambda: _is_ready(url), f"the server at {url}")
        return url

    def worker(self, *pools: str, slots: int = 2) -> Member:
        arguments = ["worker", "--slots", str(slots)]
        return self._add(
            f"worker-{len(self.members)}", [*arguments, "--pools", ",".join(pools)] if pools else arguments
        )

    def _add(self, name: str, arguments: Sequence[str]) -> Member:
        member = Member(name, arguments, self.environment, self.folder).start()
        self.members.append(member)
        return member

    def until(self, condition: object, what: str, patience: float = PATIENCE) -> None:
        """Wait for it. Raises TimeoutError, RuntimeError where a member has ended by itself."""
        assert callable(condition)
        clock = SystemClock()
        deadline = clock.monotonic() + patience
        while not condition():
            if clock.monotonic() > deadline:
                raise TimeoutError(f"{what}: not within {patience:.0f} s; see {self.folder}")
            pause(0.1)  # looking costs: a connection to the database, for one

    def stop(self) -> list[int]:
        """All of them in good order, workers first; gives their exit codes."""
        for member in self.members:
            if member.process and member.process.poll() is None:
                member.process.send_signal(signal.SIGCONT)
                member.process.send_signal(signal.SIGTERM)
        return [member.process.wait(PATIENCE) for member in self.members if member.process]

    def leftovers(self) -> list[str]:
        """Processes that still name this fleet's folder, shortly after its end."""
        found: list[str] = []
        for _ in range(400):
            found = [
                " ".join(process.info["cmdline"])
                for process in psutil.process_iter(["cmdline"])
                if process.info["cmdline"] and any(str(self.folder) in part for part in process.info["cmdline"])
            ]
            if not found:
                break
            pause(0.05)
        return found


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.HTTPError:
        return False
