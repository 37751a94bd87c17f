"""Every single request of an upload's life, met by every fault of the network and the server: a real proxy in between."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import pytest

from rushes.storage.bucket import Bucket
from rushes.storage.store import StoreError
from tests.conftest import unavailable
from tests.integration.ingest.s3_lives import ID, KEY, LIVES, Life, complete, expected, litter, offset_of, store_on
from tests.services.faulty import Answer, BlackHole, Delay, Fault, Proxy, Reset, Silence, Truncate, faulty
from tests.services.moto import Moto
from tests.services.process import S3Service
from tests.services.swift import Swift, home

TIMEOUT = 0.3
PATIENCE = 20.0
"""Seconds that a client waits where no fault is silence: a busy machine must not look like a second fault."""
TRIES = 5
FAULTS: dict[str, Callable[[], Fault]] = {
    "500": lambda: Answer(status=500),
    "503": lambda: Answer(status=503),
    "slow": lambda: Delay(seconds=TIMEOUT / 4),
    "reset before": lambda: Reset(after=0),
    "reset in the middle": lambda: Reset(after=10),
    "reset after success": lambda: Silence(reset=True),
    "answer cut": lambda: Truncate(after=0),
    "nothing heard": BlackHole,
    "time-out after success": lambda: Silence(reset=False),
}
SILENT = ("nothing heard", "time-out after success")
MAIN = ("500", "reset after success")
"""Not done; done, and nobody knows."""


def cases() -> list[Any]:
    """Every fault in every request of every kind of upload, on both servers. Nights have time for all of that. The last of
    each case says from which request to the next: what is joined takes seventy, most of them those of the other kinds, and
    silence takes its time at each."""
    found = []
    for server, kind, fault in itertools.product(("moto", "swift"), LIVES, FAULTS):
        soon = (kind == "plain" or fault in MAIN) if server == "moto" else (kind == "plain" and fault in MAIN)
        in_part = kind == "joined" or fault in SILENT
        if soon and in_part:
            found.append(pytest.param(server, kind, fault, 3))
        by_day = soon and not in_part
        found.append(pytest.param(server, kind, fault, 1, marks=[] if by_day else pytest.mark.nightly))
    return found


@pytest.fixture(scope="module", params=["moto", "swift"])
def tiny(request: pytest.FixtureRequest) -> Iterator[S3Service]:
    """A server that takes parts of any size."""
    folder = home()
    if folder is None:
        unavailable("a file system with user attributes")
    assert folder
    (folder / "least_part").write_text("1", encoding="ascii")
    service = Moto(folder) if request.param == "moto" else Swift(folder)
    yield service
    service.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def proxy(tiny: S3Service) -> Iterator[Proxy]:
    with faulty(tiny.port) as proxy:
        yield proxy


@dataclass
class Place:
    """A bucket as the server under test sees it, and as we see it who look at what is in there."""

    server: Bucket
    direct: Bucket
    hasty: Bucket
    """As the server under test sees it that soon takes silence for a failure."""

    def below(self, prefix: str, *, hasty: bool = False) -> Place:
        """With the same clients: making one takes longer than a life."""
        moved = []
        for each in (self.hasty if hasty else self.server, self.direct, self.hasty):
            other = replace(each, prefix=f"{prefix}/")
            other.__dict__["client"] = each.client
            moved.append(other)
        return Place(*moved)


@pytest.fixture(scope="module")
def place(tiny: S3Service, proxy: Proxy) -> Iterator[Place]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in tiny.environment.items():
            patch.setenv(name, value)
        direct = Bucket.parse(tiny.url(tiny.bucket()) + "&checksum=crc32")
        endpoint = {"endpoint_url": f"http://127.0.0.1:{proxy.port}", "attempts": "1"}
        server, hasty = (
            replace(direct, options={**direct.options, **endpoint, "timeout": str(timeout)})
            for timeout in (PATIENCE, TIMEOUT)
        )
        yield Place(server, direct, hasty)


class Clients:
    """They try again, as a client does after a 503: from what is there."""

    def __init__(self) -> None:
        self.failures = 0

    def __call__(self, step: Callable[[], Any]) -> Any:
        for _ in range(TRIES):
            try:
                return step()
            except StoreError:
                self.failures += 1
        raise AssertionError(f"{TRIES} failures, and there was one fault")


@pytest.mark.parametrize(("tiny", "kind", "fault", "step"), cases(), indirect=["tiny"])
def test_no_fault_in_any_request_loses_or_doubles_anything(
    place: Place, proxy: Proxy, kind: str, fault: str, step: int
) -> None:
    number, hit = 1 - step, True
    while hit:
        number += step
        here = place.below(f"{kind}/{fault}/{number}".replace(" ", "-"), hasty=fault in SILENT)
        proxy.fault = FAULTS[fault]()
        proxy.fault.times, proxy.fault.pass_first = 1, number - 1
        LIVES[kind](Life(here.server, attempt=Clients()))
        hit, proxy.fault = proxy.fault.hits > 0, None
        check(kind, here.direct, f"{fault} in request {number} of a {kind} upload")
    assert number > 5


def check(kind: str, bucket: Bucket, what: str) -> None:
    if kind == "terminated":
        assert litter(bucket) == [], what
        assert [found["Key"] for found in bucket.list("")] == [], what
        return
    assert sha256(bucket.read(KEY)).digest() == sha256(expected(kind)).digest(), what
    assert [found["Key"] for found in bucket.list("sources/")] == [KEY], what
    left = litter(bucket)
    for upload in {key.split("/")[1] for key in left if key.startswith("uploads/")}:  # as recovery does with orphans
        store_on(bucket).remove(upload)
    assert litter(bucket) == [], what


def test_the_offset_is_true_after_every_fault(place: Place, proxy: Proxy) -> None:
    """What a life told a client is there for a process that knows nothing of it."""
    for number in range(1, 12):
        here = place.below(f"offset/{number}")
        life = Life(here.server)
        proxy.fault = Silence(reset=True, pass_first=number)  # in this request and all after it
        with pytest.raises(StoreError):
            LIVES["plain"](life)
        proxy.fault = None
        offset = offset_of(store_on(here.direct), ID)
        if ID in life.acknowledged and not life.finished:
            assert offset is not None
            assert offset >= life.acknowledged[ID]
        if ID in life.acknowledged:
            assert complete("plain", here.direct) == expected("plain")
