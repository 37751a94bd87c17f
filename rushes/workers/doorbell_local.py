"""Doorbells of one machine: a Unix socket between the processes of a data directory, and one within a process."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
import threading
from collections.abc import Iterable
from pathlib import Path

from rushes.states import Pool


class Ear:
    """Wakes one coroutine, from whatever thread; a touch that comes before anybody waits is remembered."""

    def __init__(self) -> None:
        self._touched = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()

    def touch(self) -> None:
        with self._lock:
            if self._loop is None:
                self._touched.set()
                return
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody will wait any more
            self._loop.call_soon_threadsafe(self._touched.set)

    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109 - see doorbell.Listener
        with self._lock:
            self._loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):  # `wait_for` would lose a cancellation that comes with the ring
                await self._touched.wait()
        except TimeoutError:
            return False
        self._touched.clear()
        return True


class Alone:
    """Part of a listener beside which there is no other: a ring that it cannot use is of use to nobody."""

    def free(self, pools: Iterable[Pool]) -> frozenset[Pool]:
        return frozenset()

    def busy(self, pools: Iterable[Pool]) -> None:
        """It looks by itself when a slot falls free."""

    def hand_on(self, pools: Iterable[Pool]) -> None:
        """There is nobody to hand them to."""


def _address(data: Path) -> str:
    """An abstract Unix socket of this data directory: nothing to clean up, no limit on the path's length (unix(7))."""
    return "\0rushes-" + hashlib.sha256(str(data.absolute()).encode()).hexdigest()[:32]


class LocalDoorbell:
    """Rings the worker process of a data directory on this machine."""

    def __init__(self, data: Path) -> None:
        self._address = _address(data)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def ring(self, pools: Iterable[Pool]) -> None:
        try:
            self._socket.sendto(" ".join(pools).encode(), self._address)
        except OSError:
            return  # nobody listens, or it has rung often enough already: both are fine

    def close(self) -> None:
        self._socket.close()


class LocalListener(Alone):
    """The worker's end. Only one per data directory: a second one raises OSError."""

    def __init__(self, data: Path, pools: Iterable[Pool] = tuple(Pool)) -> None:
        self._pools = {pool.value for pool in pools}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(_address(data))
        self._ear = Ear()
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def _read(self) -> None:
        """All that has come: many rings are one."""
        with contextlib.suppress(BlockingIOError):
            while True:
                if not self._pools.isdisjoint(self._socket.recv(256).decode().split()):
                    self._ear.touch()

    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109 - see doorbell.Listener
        return await self._ear.wait(timeout)

    def close(self) -> None:
        if self._socket.fileno() >= 0:  # not closed before
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()


class MemoryDoorbell(Alone):
    """Bell and listener in one; for a single process and for tests."""

    def __init__(self, pools: Iterable[Pool] = tuple(Pool)) -> None:
        self._pools = frozenset(pools)
        self._ear = Ear()

    def ring(self, pools: Iterable[Pool]) -> None:
        if not self._pools.isdisjoint(pools):
            self._ear.touch()

    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109 - see doorbell.Listener
        return await self._ear.wait(timeout)

    def close(self) -> None:
        self._pools = frozenset()
