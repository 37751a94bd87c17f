"""Warm children: each has its imports done, does one order at a time, and is replaced when it had to be killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping

import psutil

from rushes.workers.order import MESSAGE, Done, Failed, Order, Progress, Ready

LINE_LIMIT = 64 * 1024 * 1024
"""A result lists the segments of every rung: 4 hours are a few megabytes."""
ORDERS_PER_CHILD = 200
"""A child is replaced after this many, in case a library leaks."""
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "HOME", "PYTHONPATH")
"""All a child sees of the environment: no credentials, no settings."""


class Child:
    """One process in a session of its own. `kill` ends it and all that it started."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._served = 0

    @classmethod
    async def start(cls, environment: Mapping[str, str]) -> Child:
        """Must run in the thread that lives as long as the worker: a child dies with the thread that made it."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "rushes.workers.child", str(os.getpid()),
            stdin=PIPE, stdout=PIPE, start_new_session=True, limit=LINE_LIMIT,
            env={name: environment[name] for name in PASSED_ON if name in environment},
        )  # fmt: skip
        child = cls(process)
        if isinstance(await child.hear(), Ready):
            return child
        await child.kill()
        raise RuntimeError("a child process did not start; its messages are in the log above")

    @property
    def usable(self) -> bool:
        return self._process.returncode is None and self._served < ORDERS_PER_CHILD

    async def give(self, order: Order) -> None:
        self._served += 1
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

    def memory(self) -> int:
        """Resident bytes of the child and everything below it."""
        total = 0
        with contextlib.suppress(psutil.Error):
            root = psutil.Process(self._process.pid)
            for process in (root, *root.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    total += process.memory_info().rss
        return total

    async def kill(self) -> None:
        """End the process group. Tools below run with die-with-parent, so they go too."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()


class Children:
    """Idle children kept warm; `take` gives one, `put_back` returns or replaces it."""

    def __init__(self, spare: int, environment: Mapping[str, str]) -> None:
        self._spare = spare
        self._environment = environment
        self._idle: list[Child] = []
        self._warming: set[asyncio.Task[None]] = set()

    def warm(self) -> None:
        """Start as many as are missing, in the background."""
        for _ in range(self._spare - len(self._idle) - len(self._warming)):
            task = asyncio.create_task(self._add())
            self._warming.add(task)
            task.add_done_callback(self._warming.discard)

    async def _add(self) -> None:
        self._idle.append(await Child.start(self._environment))

    async def take(self) -> Child:
        while self._idle:
            child = self._idle.pop()
            if child.usable:
                return child
            await child.kill()
        return await Child.start(self._environment)

    async def put_back(self, child: Child) -> None:
        if child.usable and len(self._idle) < self._spare:
            self._idle.append(child)
        else:
            await child.kill()

    async def close(self) -> None:
        for task in list(self._warming):
            task.cancel()
        await asyncio.gather(*self._warming, return_exceptions=True)
        for child in self._idle:
            await child.kill()
        self._idle.clear()
