"""The embedded stack: one command, several processes. This one holds the data directory and minds the others."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rushes.clock import SystemClock
from rushes.errors import RushesError
from rushes.settings import SettingsError

RESTART_DELAY, LONGEST_DELAY = 1.0, 30.0
"""Seconds before a part that died is started again; doubled while it dies young."""
YOUNG = 10.0
USAGE = 64
"""Exit code of a part whose settings are wrong: starting it again would change nothing."""
GRACE = 25.0
"""Seconds the parts get to hand back their work at the end."""
log = logging.getLogger("rushes.up")


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """Hold the data directory: two stacks on one directory would take each other's work."""
    data.mkdir(parents=True, exist_ok=True)
    handle = os.open(data / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SettingsError(f"Another rushes is running on {data}. Stop it, or choose another --data.") from error
        yield
    finally:
        os.close(handle)


def reserve_port(host: str, port: int) -> None:
    """Raises RushesError where nothing can listen at this address; without it the web side would be restarted for ever."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in found[:1]:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
                probe.listen(1)
    except OSError as error:
        why = "it is in use already" if error.errno == errno.EADDRINUSE else (error.strerror or str(error))
        raise RushesError(
            "port_unavailable", f"Nothing can listen on port {port} of {host}: {why}. Choose another --port or --host."
        ) from error


class Part:
    """One of the stack's processes; started again when it dies before its time."""

    def __init__(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self.name = name
        self._arguments = arguments
        self._environment = dict(environment)
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()

    async def run(self) -> int:
        """Until `stop`: 0, or until its settings are refused: the exit code."""
        clock, delay = SystemClock(), RESTART_DELAY
        while not self._stopping.is_set():
            started = clock.monotonic()
            code = await self._live()
            if self._stopping.is_set():
                break
            if code == USAGE:
                return code
            if clock.monotonic() - started > YOUNG:
                delay = RESTART_DELAY
            log.error("the %s ended with code %d; starting it again in %.0f s", self.name, code, delay)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._stopping.wait()
            delay = min(LONGEST_DELAY, delay * 2)
        return 0

    async def _live(self) -> int:
        """One life of the process, to its exit code."""
        command = (sys.executable, "-m", "rushes.cli", *self._arguments, "--parent", str(os.getpid()))
        # A session of its own: a Ctrl-C in the terminal reaches the stack once, through us.
        self._process = await asyncio.create_subprocess_exec(*command, env=self._environment, start_new_session=True)
        if self._stopping.is_set():  # asked for while it was being started
            self._signal(signal.SIGTERM)
        return await self._process.wait()

    def stop(self) -> None:
        self._stopping.set()
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)


async def supervise(parts: Sequence[Part]) -> int:
    """Run the parts until SIGINT or SIGTERM, then stop them, the last one first; those that linger are killed.

    Gives 0, or the exit code of a part that refused its settings, which ends the stack.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    tasks = [asyncio.create_task(part.run()) for part in parts]
    asked = asyncio.create_task(stop.wait())
    await asyncio.wait((asked, *tasks), return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    for part in reversed(parts):
        part.stop()
    _, lingering = await asyncio.wait(tasks, timeout=GRACE)
    for part in parts if lingering else ():
        log.warning("the %s did not stop in %.0f s; killing it", part.name, GRACE)
        part.kill()
    return max(await asyncio.gather(*tasks))
