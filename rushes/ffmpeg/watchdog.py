"""Bounds on a running tool: memory, CPU time and number of its processes, wall clock, and life (it has to make progress)."""

from __future__ import annotations

import contextlib
import time

import psutil

from rushes.engine.job import Limits
from rushes.errors import Blame, StepFailure
from rushes.ffmpeg.family import is_starved
from rushes.ffmpeg.process import Process

PERIOD = 0.1
"""Seconds between two looks. A tool may overshoot its memory by what it can touch in that time."""
_TREE_PERIOD = 1.0
"""Seconds after which the list of descendants is made anew; it is dear where many processes run."""
_STARVED = 0.1
"""Of a core: who has made no progress and has used less, and would run now, was not let."""


class Watchdog:
    """Looks at one process when asked, at most every PERIOD; raises a StepFailure when a bound is passed."""

    def __init__(self, process: Process, limits: Limits, *, expects_progress: bool) -> None:
        self._process = process
        self._limits = limits
        self._stall = limits.stall if expects_progress else float("inf")
        self._started = self._alive = time.monotonic()
        self._next_look = self._next_tree = 0.0
        self._family: list[psutil.Process] = []
        self._spent_alive = 0.0
        self.peak_memory = 0
        """Bytes that the tree held together, at most."""
        self.cpu_seconds = 0.0

    @property
    def wall(self) -> float:
        return time.monotonic() - self._started

    def advanced(self) -> None:
        """Work went on."""
        self._alive, self._spent_alive = time.monotonic(), self.cpu_seconds

    def look(self) -> None:
        """Raises StepFailure `over_limit_time` (resource: a host may have been busy), `stalled` (transient),
        `over_limit_memory`, `over_limit_cpu` or `over_limit_processes`."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + PERIOD
        if now - self._started > self._limits.wall:
            raise StepFailure("over_limit_time", Blame.RESOURCE, detail=f"{self._limits.wall:.0f} s passed")
        self._measure(now)
        if now - self._alive > self._stall and not self._is_starved(now):
            raise StepFailure("stalled", Blame.TRANSIENT, detail=f"no progress for {self._stall:.0f} s")
        if self.peak_memory > self._limits.memory:
            raise StepFailure(
                "over_limit_memory", detail=f"{self.peak_memory} bytes held, {self._limits.memory} allowed"
            )
        if self.cpu_seconds > self._limits.cpu:
            raise StepFailure("over_limit_cpu", detail=f"{self._limits.cpu:.0f} CPU seconds were used")

    def count(self) -> None:
        """A look at what has been used, whenever the last one was: bubblewrap ends before it has waited for its child, so what
        that used is nowhere to be had after its end."""
        self._measure(time.monotonic())

    def _is_starved(self, now: float) -> bool:
        """It wants to run, and others were given the processors: that is no fault of its own."""
        if self.cpu_seconds - self._spent_alive > _STARVED * (now - self._alive) or not is_starved(self._family):
            return False
        self.advanced()
        return True

    def _measure(self, now: float) -> None:
        if now >= self._next_tree or len(self._family) < 2:
            self._family = self._process.tree()
            self._next_tree = now + _TREE_PERIOD
            if len(self._family) > self._limits.processes:
                raise StepFailure("over_limit_processes", detail=f"{len(self._family)} processes")
        held, spent = 0, 0.0
        for member in self._family:
            with contextlib.suppress(psutil.Error):
                held += member.memory_info().rss
                times = member.cpu_times()
                spent += times.user + times.system
        self.peak_memory = max(self.peak_memory, held)
        self.cpu_seconds = max(self.cpu_seconds, spent)
