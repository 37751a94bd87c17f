"""Warm children: each has its imports done, does one order at a time, and is replaced when it had to be killed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping

import psutil

from rushes.ffmpeg.family import family, is_starved
from rushes.workers.order import MESSAGE, Done, Failed, Order, Progress, Ready

LINE_LIMIT = 64 * 1024 * 1024
"""A result lists the segments of every rung: 4 hours are a few megabytes."""
ORDERS_PER_CHILD = 200
"""A child is replaced after this many, in case a library leaks."""
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "HOME", "PYTHONPATH")

log = logging.getLogger("rushes.worker")


def passed_on(environment: Mapping[str, str], storage: str) -> dict[str, str]:
    """What a child sees of the environment: no settings, no keys but those of the object store where it needs them.

    The tools that it runs on a stranger's file see none of it.
    """
    keys = storage.startswith("s3:")
    return {name: value for name, value in environment.items() if name in _PASSED_ON or (keys and name[:4] == "AWS_")}


class NoChild(Exception):
    """This machine could not start a child now (no memory, no processes left); it says nothing about any step."""


class Child:
    """One process in a session of its own. `kill` ends it and all that it started."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._served = 0
        self._killed = False
        self._before = 0.0

    @classmethod
    async def start(cls, environment: Mapping[str, str], patience: float, nice: int = 0) -> Child:
        """Must run in the thread that lives as long as the worker: a child dies with the thread that made it.

        Raises NoChild; then, as when it is cancelled, no process is left.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "rushes.workers.child", str(os.getpid()), str(nice),
                stdin=PIPE, stdout=PIPE, start_new_session=True, limit=LINE_LIMIT,
                env=dict(environment),
            )  # fmt: skip
        except OSError as error:
            raise NoChild(f"a child process could not be started: {error}") from error
        child = cls(process)
        try:
            async with asyncio.timeout(patience):
                if isinstance(await child.hear(), Ready):
                    return child
        except TimeoutError:
            pass
        except BaseException:
            await asyncio.shield(child.kill())
            raise
        await child.kill()
        raise NoChild("a child process did not become ready; its messages are in the log above")

    @property
    def usable(self) -> bool:
        return not self._killed and self._process.returncode is None and self._served < ORDERS_PER_CHILD

    @property
    def pid(self) -> int:
        """The process, its session and its process group."""
        return self._process.pid

    async def give(self, order: Order) -> None:
        self._served += 1
        self._before = sum(_cpu(process) for process in family(self._process.pid))
        if self._process.stdin is None:
            raise RuntimeError("a child has no standard input")
        self._process.stdin.write(order.model_dump_json().encode() + b"\n")
        await self._process.stdin.drain()

    async def hear(self) -> Ready | Progress | Done | Failed | None:
        """The next message; None when the child is gone."""
        if self._process.stdout is None:
            return None
        line = await self._process.stdout.readline()
        return MESSAGE.validate_json(line) if line.endswith(b"\n") else None

    def usage(self) -> tuple[int, float]:
        """Of the child and everything below it: resident bytes, and CPU seconds since the last order. A tool that has ended
        counts where the child has waited for it."""
        memory, cpu_seconds = 0, -self._before
        for process in family(self._process.pid):
            with contextlib.suppress(psutil.Error):
                memory += process.memory_info().rss
            cpu_seconds += _cpu(process)
        return memory, max(0.0, cpu_seconds)

    def starves(self) -> bool:
        """Whether it would run if it were given a processor; one that waits, or was stopped, would not."""
        return is_starved(family(self._process.pid))

    async def kill(self) -> None:
        """End the process group. Tools below run with die-with-parent, so they go too. Again is harmless."""
        if not self._killed:  # once only: later the number may be somebody else's
            self._killed = True
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()


class Children:
    """Idle children kept warm; `take` gives one, `put_back` returns or replaces it."""

    def __init__(self, spare: int, environment: Mapping[str, str], patience: float, nice: int = 0) -> None:
        """`patience`: seconds a child may take to do its imports.
        `nice`: by how much they, and all that they start, give way to others (nice(2), `ffmpeg.giving_way`)."""
        self._spare = spare
        self._nice = nice
        self._patience = patience
        self._environment = environment
        self._idle: list[Child] = []
        self._warming: set[asyncio.Task[None]] = set()
        self._out = 0
        self._closed = False

    def warm(self) -> None:
        """Start as many as are missing, in the background. Those that are out come back, as a rule; but one is always ready."""
        self._idle[:] = [child for child in self._idle if child.usable]
        ready = len(self._idle) + len(self._warming)
        missing = max(self._spare - ready - self._out, min(1, self._spare) - ready)
        for _ in range(0 if self._closed else missing):
            task = asyncio.create_task(self._add())
            self._warming.add(task)
            task.add_done_callback(self._warming.discard)

    async def _add(self) -> None:
        try:
            child = await Child.start(self._environment, self._patience, self._nice)
            self._idle.append(child)
        except NoChild as error:
            log.warning("%s", error)  # whoever needs one starts it then

    async def take(self) -> Child:
        """A child that is ready, or will be soonest. Raises NoChild."""
        while self._idle or self._warming:
            if not self._idle:
                await asyncio.wait(set(self._warming), return_when=asyncio.FIRST_COMPLETED)
                continue
            child = self._idle.pop()
            if child.usable:
                self._out += 1
                return child
            await child.kill()
        child = await Child.start(self._environment, self._patience, self._nice)
        self._out += 1
        return child

    async def put_back(self, child: Child) -> None:
        self._out -= 1
        if child.usable and not self._closed and len(self._idle) < self._spare:
            self._idle.append(child)
        else:
            await child.kill()

    async def close(self) -> None:
        """Kill them; children that are still out are killed when they come back."""
        self._closed = True
        for task in list(self._warming):
            task.cancel()
        await asyncio.gather(*self._warming, return_exceptions=True)
        for child in self._idle:
            await child.kill()
        self._idle.clear()


def _cpu(process: psutil.Process) -> float:
    """Seconds, with those of the children it has waited for. 0 for one that is gone."""
    with contextlib.suppress(psutil.Error):
        times = process.cpu_times()
        return float(times.user + times.system + times.children_user + times.children_system)
    return 0.0
