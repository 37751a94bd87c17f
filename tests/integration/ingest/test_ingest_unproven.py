"""Bodies with checksums and a server that is killed: what was acknowledged stays, what was never proven never counts."""

from __future__ import annotations

import base64
import hashlib
import random
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.integration.ingest.conftest import PATCH, Server, wait_for
from tests.integration.ingest.wire import Wire
from tests.services.swift import Swift

MIB = 2**20


def checksum(data: bytes) -> dict[str, str]:
    digest = hashlib.sha1(data, usedforsecurity=False).digest()
    return {"Upload-Checksum": f"sha1 {base64.b64encode(digest).decode()}"}


@pytest.fixture(params=["local", "s3"])
def server(request: pytest.FixtureRequest, start_server: Callable[..., Server]) -> Server:
    options: dict[str, Any] = {}
    if request.param == "s3":
        service: Swift = request.getfixturevalue("s3_keys")
        options = {"storage": service.url(service.bucket(), "videos")}
    return start_server(**options)


def file_size(server: Server, url: str) -> int:
    """Of the local store's file, proven bytes or not."""
    return (server.data / "uploads" / url.rsplit("/", 1)[1]).stat().st_size


@pytest.mark.parametrize("before", [0, 3 * MIB + 1])
def test_bytes_that_were_not_proven_when_the_server_was_killed_do_not_count(server: Server, before: int) -> None:
    data = random.Random(1).randbytes(12 * MIB)
    url = server.create(len(data))
    if before:
        assert server.patch(url, 0, data[:before], **checksum(data[:before])).status_code == 204
    # Given a body of which most is there when the server is killed
    rest = data[before:]
    with Wire(server.url) as wire:
        headers = {**PATCH, "Upload-Offset": str(before), "Content-Length": str(len(rest)), **checksum(rest)}
        wire.request("PATCH", url, headers, rest[:-MIB])
        if not server.bucket:
            wait_for(lambda: file_size(server, url) >= before + 4 * MIB, "bytes on the disk")
        server.kill()
    # When it starts again / Then the offset is what was acknowledged, and the upload can be completed
    server.start()
    assert server.offset(url) == before
    done = server.patch(url, before, rest, **checksum(rest))
    assert done.status_code == 204
    assert server.source_sha(done.headers["rushes-asset"]) == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("round_", range(4))
def test_every_acknowledged_byte_survives_kill_9_and_nothing_unproven_does(server: Server, round_: int) -> None:
    dice = random.Random(round_)
    data = dice.randbytes(24 * MIB)
    url = server.create(len(data))
    acknowledged = sent = 0
    proven = True
    killer = threading.Timer(dice.uniform(0.02, 0.3), server.kill)
    killer.start()
    # Given a client that sends chunk after chunk, some with a checksum, some without, until the server is killed
    try:
        while acknowledged < len(data):
            chunk = data[acknowledged : acknowledged + dice.randint(1, 3 * MIB)]
            proven = dice.random() < 0.7
            sent = acknowledged + len(chunk)
            assert server.patch(url, acknowledged, chunk, **(checksum(chunk) if proven else {})).status_code == 204
            acknowledged = sent
    except httpx.TransportError:
        pass
    killer.join()
    assert server.process is not None
    server.process.wait(10)
    server.start()
    # Then all that was acknowledged is there; of the last chunk all or nothing, or some where it had no checksum
    offset = server.offset(url)
    assert offset in (acknowledged, sent) if proven else acknowledged <= offset <= sent
    if offset < len(data):
        assert server.patch(url, offset, data[offset:], **checksum(data[offset:])).status_code == 204
    asset = server.head(url).headers["rushes-asset"]
    wait_for(lambda: server.asset(asset)["state"] == "ingested", "the asset")
    assert server.source_sha(asset) == hashlib.sha256(data).hexdigest()
