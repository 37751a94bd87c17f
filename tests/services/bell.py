"""A process at the doorbell: `python -m tests.services.bell BROKER_URL DATA POOL...` does what its standard input says.

`listen`, `ring POOL...`, `free`, `busy`, `close`. It prints `ready` first, `heard T` with each ring, `done T`
after each command; T are seconds of the system's monotonic clock, which all processes share.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from rushes.clock import SystemClock
from rushes.settings import Settings
from rushes.states import Pool
from rushes.workers.doorbell import Listener, open_doorbell, open_listener

ROOT = Path(__file__).resolve().parents[2]


class BellProcess:
    def __init__(self, settings: Settings, pools: Sequence[Pool] = tuple(Pool), *, listen: bool = True) -> None:
        command = [sys.executable, "-m", "tests.services.bell", settings.broker_url, str(settings.data), *pools]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.lines: list[tuple[str, float]] = []
        """What it said: (word, when)."""
        self.said = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.until("ready")
        if listen:
            self.do("listen")

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            word, _, when = line.partition(" ")
            with self.said:
                self.lines.append((word, float(when)))
                self.said.notify_all()

    def count(self, word: str) -> int:
        return sum(said == word for said, _ in self.lines)

    def last(self, word: str) -> float:
        return next(when for said, when in reversed(self.lines) if said == word)

    def until(self, word: str, count: int = 1, patience: float = 60.0) -> bool:
        """Wait until it has said the word so often."""
        with self.said:
            return self.said.wait_for(lambda: self.count(word) >= count, patience)

    def do(self, command: str) -> None:
        """Have it do this, and wait until it is done."""
        done = self.count("done")
        assert self.process.stdin
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        assert self.until("done", done + 1), f"{command} was not done"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                stream.close()


def _say(word: str) -> None:
    sys.stdout.write(f"{word} {SystemClock().monotonic()!r}\n")
    sys.stdout.flush()


async def _serve(settings: Settings, pools: Sequence[Pool]) -> None:
    """Until the end of standard input; then it ends as any process does, without closing anything."""
    bell = open_doorbell(settings)
    listener: Listener | None = None
    hearing: list[asyncio.Task[None]] = []
    _say("ready")
    while line := await asyncio.to_thread(sys.stdin.readline):
        word, *rung = line.split()
        if word == "listen":
            listener = open_listener(settings, pools)
            hearing.append(asyncio.create_task(_hear(listener)))
        elif word == "ring":
            bell.ring([Pool(name) for name in rung])
        elif listener:
            _tell(listener, word, pools)
        _say("done")
    for task in hearing:
        task.cancel()


def _tell(listener: Listener, word: str, pools: Sequence[Pool]) -> None:
    match word:
        case "free":
            listener.free(pools)
        case "busy":
            listener.busy(pools)
        case "close":
            listener.close()


async def _hear(listener: Listener) -> None:
    while True:
        if await listener.wait(60):
            _say("heard")


if __name__ == "__main__":
    url, data, *names = sys.argv[1:]
    asyncio.run(_serve(Settings(broker_url=url, data=Path(data)), [Pool(name) for name in names]))
