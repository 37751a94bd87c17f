"""Wall time, CPU seconds and peak memory of a command with everything it starts."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psutil

PERIOD = 0.02
"""Seconds between looks; what a process uses after the last look at it is lost, 10 ms each on average."""


@dataclass(frozen=True)
class Usage:
    wall: float
    cpu: float
    peak: int
    """Bytes resident at once."""
    by: dict[str, float] = field(default_factory=dict)
    """CPU seconds by the name of the program."""

    def __str__(self) -> str:
        return f"{self.wall:6.2f} s wall  {self.cpu:6.2f} CPU-s  {self.peak / 1e6:5.0f} MB"


def measure(command: Sequence[str], **options: Any) -> Usage:
    """Run to the end; a non-zero exit raises. By looking, not by rusage: a sandbox does not pass on what it waited for."""
    start = time.perf_counter()
    process = subprocess.Popen(list(command), **options)
    family = _Family(psutil.Process(process.pid))
    done = threading.Event()
    watcher = threading.Thread(target=family.watch, args=(done,))
    watcher.start()
    code = process.wait()
    wall = time.perf_counter() - start
    done.set()
    watcher.join()
    if code:
        raise subprocess.CalledProcessError(code, command)
    return Usage(wall, sum(family.cpu.values()), family.peak, family.by_name())


@dataclass
class _Family:
    root: psutil.Process
    cpu: dict[psutil.Process, float] = field(default_factory=dict)
    names: dict[psutil.Process, str] = field(default_factory=dict)
    peak: int = 0

    def by_name(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for process, seconds in self.cpu.items():
            name = self.names.get(process, "ended at once")
            found[name] = found.get(name, 0.0) + seconds
        return found

    def watch(self, done: threading.Event) -> None:
        while not done.wait(PERIOD):
            held = 0
            with suppress(psutil.Error):
                for process in (self.root, *self.root.children(recursive=True)):
                    with suppress(psutil.Error):
                        times = process.cpu_times()
                        self.cpu[process] = times.user + times.system
                        self.names[process] = process.name().partition("-")[0]
                        held += process.memory_info().rss
            self.peak = max(self.peak, held)
