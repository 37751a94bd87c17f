"""The embedded stack: one command, several processes. This one holds the data directory and minds the others."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rushes.settings import SettingsError

RESTART_DELAY = 1.0
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


class Part:
    """One of the stack's processes; started again when it dies before its time."""

    def __init__(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self.name = name
        self._arguments = arguments
        self._environment = dict(environment)
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False

    async def run(self) -> None:
        while not self._stopping:
            command = (sys.executable, "-m", "rushes.cli", *self._arguments, "--parent", str(os.getpid()))
            # A session of its own: a Ctrl-C in the terminal reaches the stack once, through us.
            self._process = await asyncio.create_subprocess_exec(
                *command, env=self._environment, start_new_session=True
            )
            code = await self._process.wait()
            if not self._stopping:
                log.error("the %s ended with code %d; starting it again", self.name, code)
                await asyncio.sleep(RESTART_DELAY)

    def stop(self) -> None:
        self._stopping = True
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)


async def supervise(parts: Sequence[Part]) -> None:
    """Run the parts until SIGINT or SIGTERM, then stop them, the last one first; those that linger are killed."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    tasks = [asyncio.create_task(part.run()) for part in parts]
    await stop.wait()
    for part in reversed(parts):
        part.stop()
    _, lingering = await asyncio.wait(tasks, timeout=GRACE)
    for part in parts if lingering else ():
        log.warning("the %s did not stop in %.0f s; killing it", part.name, GRACE)
        part.kill()
    await asyncio.gather(*tasks, return_exceptions=True)
