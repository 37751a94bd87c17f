"""A stack of processes, which the faults hurt one after another and which heals in between. It is gone when they are over: other
tests look for what is left of theirs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from rushes.chaos.stack import Services, Stack
from tests.conftest import unavailable
from tests.services.postgres import binaries, running_postgres
from tests.services.redis import RedisServer


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """With servers of its own: it restarts them."""
    programs = binaries()
    if programs is None or not (shutil.which("redis-server") and find_spec("dramatiq")):
        unavailable("PostgreSQL, redis-server, or the extra `fleet`,")
    assert programs
    folder = Path(tempfile.mkdtemp(prefix="rushes-faults-"))
    with running_postgres(programs) as postgres:
        redis = RedisServer(folder)
        services = Services(postgres, postgres.empty(), redis, redis.url("faults"))
        built = Stack(folder, services, thorough=False)
        try:
            built.start()
            yield built
        finally:
            built.stop()
            redis.kill()
            shutil.rmtree(folder, ignore_errors=True)
