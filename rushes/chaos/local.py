"""A stack for game days, from nothing, in a folder that is removed with it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rushes.chaos.servers import PostgresServer, RedisServer
from rushes.chaos.stack import Services, Stack


@contextmanager
def local_stack(*, lease: float = 4.0, heartbeat: float = 1.0, thorough: bool = True) -> Iterator[Stack]:
    """Everything started here, and ended here. Its folder lies directly below the system's temporary one: the database, which
    may have to run as somebody else, needs a way to it."""
    folder = Path(tempfile.mkdtemp(prefix="rushes-chaos-"))
    folder.chmod(0o755)
    for name in ("postgresql", "redis"):
        (folder / name).mkdir()
    database = broker = stack = None
    try:
        database = PostgresServer(folder / "postgresql")
        broker = RedisServer(folder / "redis")
        services = Services(database, database.url, broker, broker.url)
        stack = Stack(folder, services, lease=lease, heartbeat=heartbeat, thorough=thorough)
        stack.start()
        yield stack
    finally:
        for part in (stack, broker, database):
            if part:
                part.stop()
        shutil.rmtree(folder, ignore_errors=True)
