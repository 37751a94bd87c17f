"""The doorbell says "there is work" and nothing else; what the work is, the database knows.

Rings may be lost, doubled or reordered: workers also look for themselves every few seconds.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from rushes.states import Pool


class Doorbell(Protocol):
    def ring(self, pools: Iterable[Pool]) -> None:
        """Wake the workers of these pools. Never blocks, never raises."""
        ...


class Listener(Protocol):
    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109 - the time-out is the contract: a silent bell is normal
        """Wait for a ring, at most `timeout` seconds; True if it rang."""
        ...

    def close(self) -> None: ...


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


class LocalListener:
    """The worker's end. Only one per data directory: a second one raises OSError."""

    def __init__(self, data: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(_address(data))
        self._rung = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def _read(self) -> None:
        try:
            self._socket.recv(256)
        except BlockingIOError:
            return
        self._rung.set()

    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109 - see Listener
        try:
            async with asyncio.timeout(timeout):  # `wait_for` would lose a cancellation that comes with the ring
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()


class MemoryDoorbell:
    """Bell and listener within one event loop; for a single process and for tests."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def ring(self, pools: Iterable[Pool]) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._rung.set)

    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109 - see Listener
        self._loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):  # `wait_for` would lose a cancellation that comes with the ring
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True

    def close(self) -> None:
        self._loop = None
