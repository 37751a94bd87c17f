"""Fixtures that every tier may use. A missing service or clip skips locally and fails in CI."""

from __future__ import annotations

import functools
import importlib.util
import logging
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import hypothesis
import pytest

from tests.services.moto import Moto
from tests.services.swift import Swift, home

if TYPE_CHECKING:
    from tests.services.postgres import Postgres
    from tests.services.redis import RedisServer

MEDIA = Path(__file__).resolve().parents[2] / "shared" / "media"


def pytest_configure() -> None:
    """Children inherit an ignored SIGINT, which a shell gives to what it runs in the background; tests send it. And no example has
    to be done within a time: another process may have the processor."""
    hypothesis.settings.register_profile("without haste", hypothesis.settings(), deadline=None)
    hypothesis.settings.load_profile("without haste")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def read_once() -> Iterator[None]:
    """Tests make clients by the thousand, and each would read anew what never changes: httpx the machine's authorities (19 ms
    of CPU), boto3 its description of S3 (75 ms)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("httpx._transports.default.create_ssl_context", functools.cache(httpx.create_ssl_context))
        if importlib.util.find_spec("botocore"):
            loaders = importlib.import_module("botocore.loaders")
            patch.setattr("botocore.session.create_loader", functools.cache(loaders.create_loader))
        yield


@pytest.fixture(autouse=True)
def product_log() -> Iterator[None]:
    """The command line sends the log to what is standard error at that time, which a test that calls it closes."""
    log = logging.getLogger("rushes")
    before = log.handlers[:], log.level, log.propagate
    yield
    log.handlers[:], log.level, log.propagate = before


def unavailable(what: str) -> None:
    """Skip on a developer's machine; in CI a missing part is a failure, or the check would silently vanish."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is not there, and CI must have it")
    pytest.skip(f"{what} is not there")


@pytest.fixture(scope="session")
def media() -> Path:
    """The directory of shared clips; not part of the product, so its absence is never a failure."""
    if not MEDIA.is_dir():
        pytest.skip("the shared clips are not there")
    return MEDIA


@pytest.fixture(scope="session")
def swift() -> Iterator[Swift]:
    """OpenStack Swift's S3: enforces keys, expiry, checksums. One for all tests; take a bucket of your own."""
    folder = home()
    if folder is None or not importlib.util.find_spec("swift"):
        unavailable("Swift, or a file system with user attributes,")
    assert folder
    service = Swift(folder)
    try:
        yield service
    finally:
        service.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    """moto's S3: quick, believes everybody. One for all tests; take a bucket of your own."""
    if not importlib.util.find_spec("moto"):
        unavailable("moto")
    service = Moto(tmp_path_factory.mktemp("moto"))
    yield service
    service.stop()


@pytest.fixture
def s3(swift: Swift, monkeypatch: pytest.MonkeyPatch) -> Swift:
    """Swift, with its keys in the environment, where `open_store` finds them."""
    for name, value in swift.environment.items():
        monkeypatch.setenv(name, value)
    return swift


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """PostgreSQL. One for all tests; take a database of your own, and leave the server running."""
    if not importlib.util.find_spec("psycopg"):
        unavailable("psycopg (the extra `fleet`)")
    from tests.services.postgres import binaries, running_postgres  # deferred: it needs the extra

    programs = binaries()
    if programs is None:
        unavailable("PostgreSQL")
    assert programs
    with running_postgres(programs) as server:
        yield server


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A real Redis. One for all tests; take a namespace of your own, and leave it running."""
    if not (shutil.which("redis-server") and importlib.util.find_spec("dramatiq")):
        unavailable("redis-server, or the extra `fleet`,")
    from tests.services.redis import RedisServer

    service = RedisServer(tmp_path_factory.mktemp("redis"))
    yield service
    service.stop()
