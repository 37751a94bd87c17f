"""One process of a rehearsal's stack: a server or a worker, in a session of its own, with its log."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from rushes.clock import SystemClock, pause

PATIENCE = 60.0
LOOK = 0.05
DYING = ("setpriv", "--pdeathsig")
"""A process dies, by the signal that follows, with the thread that started it."""


class Member:
    def __init__(self, name: str, arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*DYING, "KILL", sys.executable, "-m", "rushes.cli", *arguments], env=dict(environment),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    def owns(self, worker: str) -> bool:
        """Whether this process has that name in the catalog."""
        return f"-{self.pid}-" in worker

    def family(self) -> list[psutil.Process]:
        """It and all below it."""
        try:
            return [psutil.Process(self.pid), *psutil.Process(self.pid).children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def children(self) -> list[psutil.Process]:
        """Those that do steps."""
        return [process for process in self.family()[1:] if "rushes.workers.child" in _command(process)]

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def freeze(self) -> list[psutil.Process]:
        """Stop it with all below it; gives whom to `thaw`."""
        found = self.family()
        for process in found:
            _quietly(process.suspend)
        return found

    def kill(self) -> None:
        """It alone, as the kernel would: what is below it has to notice by itself."""
        self.end(signal.SIGKILL)

    def thaw(self) -> None:
        thaw(self.family())

    def send(self, number: signal.Signals) -> None:
        if self.lives:
            os.kill(self.pid, number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Gives the exit code."""
        if self.lives:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(number)
        return self._process.wait(PATIENCE)


def thaw(processes: Sequence[psutil.Process]) -> None:
    for process in reversed(processes):
        _quietly(process.resume)


def until(condition: Callable[[], object], what: str, patience: float = PATIENCE) -> float:
    """Wait for it; gives the seconds that it took. Raises TimeoutError."""
    clock = SystemClock()
    started = clock.monotonic()
    while not condition():
        if clock.monotonic() - started > patience:
            raise TimeoutError(f"{what}: not within {patience:.0f} s")
        pause(LOOK)
    return clock.monotonic() - started


def free_port() -> int:
    """One that nobody listens on, for a process that soon will. It lies below those that systems give away by themselves (from
    32768 on): one of theirs could be somebody else's before that process comes to listen."""
    while True:
        port = 10_000 + secrets.randbelow(22_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def _quietly(action: Callable[[], None]) -> None:
    try:
        action()
    except psutil.NoSuchProcess:
        return


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
