"""An S3 store behind a proxy that errs, dawdles, cuts answers short, and does what it is told without saying so."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rushes.chaos.rehearsal import Rehearsal
from rushes.chaos.stack import Services, Stack
from rushes.states import Publication
from tests.services.faulty import Answer, Delay, Fault, Proxy, Reset, Silence, Truncate, faulty
from tests.services.moto import Moto
from tests.services.postgres import Postgres
from tests.services.redis import RedisServer

FAULTS = [
    Answer(6, status=503),
    Silence(4, method="PUT"),  # done, and the client sees a broken connection
    Answer(6, status=500),
    Delay(6, seconds=0.5),
    Truncate(4, method="GET", after=3),
    Reset(4, method="PUT", after=10),
]
"""Each hits a few requests and passes."""


@pytest.fixture
def proxy(moto: Moto) -> Iterator[Proxy]:
    with faulty(moto.port) as found:
        yield found


@pytest.fixture
def remote(
    proxy: Proxy, moto: Moto, postgres: Postgres, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stack]:
    """A stack whose objects lie behind the proxy. Its servers are everybody's: it hurts the store alone."""
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    storage = moto.url(moto.bucket()).replace(f":{moto.port}", f":{proxy.port}")
    namespace = secrets.token_hex(4)
    services = Services(redis_server, postgres.empty(), redis_server, redis_server.url(namespace), storage)
    folder = Path(tempfile.mkdtemp(prefix="rushes-faults-"))
    built = Stack(folder, services, thorough=False)
    try:
        built.start(workers=1)
        yield built
    finally:
        built.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.nightly
def test_every_asset_is_published_once_whatever_the_store_did(remote: Stack, proxy: Proxy) -> None:
    """In short: a store that is away (the fourth fault), and S3 faults in `tests/integration/ingest`."""
    remote.rehearse(Rehearsal(seconds={"encode": 0.2}))
    hits: list[Fault] = []
    for fault in FAULTS:
        assets = remote.submit()
        proxy.fault = replace(fault)
        hits.append(proxy.fault)
        remote.settled(assets)
        proxy.fault = None
    assert all(fault.hits for fault in hits)
    assert remote.broken(remote.acknowledged) == []
    states = [remote.catalog.asset(asset).publication for asset in remote.acknowledged]
    assert states == [Publication.PUBLISHED] * len(FAULTS)
