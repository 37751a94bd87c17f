"""Several API processes on one catalog and one bucket: whatever happens to one, an upload goes on at another."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from rushes.clock import pause
from rushes.storage.bucket import Bucket
from tests.integration.ingest.conftest import PATCH, TUS, Server
from tests.services.faulty import Answer, Proxy, Silence, faulty
from tests.services.swift import Swift

MIB = 2**20
PART = 8 * MIB
TAKEOVER = 0.5
"""Seconds within which a client that is back has its upload."""


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def wait_for(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        pause(0.02)


class Pair:
    """Two servers, a and b. An upload's address at one is translated to the other's."""

    def __init__(self, data: Path, options: dict[str, Any]) -> None:
        self.a, self.b = Server(data, options), Server(data, options)
        self.start()

    def start(self) -> None:
        """Both at a time."""
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda server: server.start(), (self.a, self.b)))

    def kill(self) -> None:
        self.a.kill()
        self.b.kill()

    def at_b(self, url: str) -> str:
        return url.replace(self.a.url, self.b.url)


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Of the catalog that both share."""
    if request.param == "sqlite":
        yield {}
        return
    server = request.getfixturevalue("postgres")
    url = server.fresh()
    yield {"database_url": url}
    server.drop(url)


@pytest.fixture(scope="module")
def options(s3_keys: Swift) -> dict[str, Any]:
    return {"storage": s3_keys.url(s3_keys.bucket(), "videos"), "fleet": True}


@pytest.fixture
def pair(tmp_path: Path, options: dict[str, Any], settings: dict[str, str]) -> Iterator[Pair]:
    """To be killed. On each kind of catalog."""
    pair = Pair(tmp_path / "data", {**options, "settings": settings})
    yield pair
    pair.kill()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, options: dict[str, Any], postgres: Any) -> Iterator[Pair]:
    """For tests that only speak to it."""
    url = postgres.fresh()
    pair = Pair(tmp_path_factory.mktemp("fleet") / "data", {**options, "settings": {"database_url": url}})
    yield pair
    pair.kill()
    postgres.drop(url)


def finish(server: Any, url: str, data: bytes) -> str:
    """Go on from where the server is, as clients do; gives the asset."""
    while True:
        offset = server.offset(url)
        answer = server.patch(url, offset, data[offset:])
        if answer.status_code == 204:
            return answer.headers["rushes-asset"]
        assert answer.status_code in (409, 423), answer.text
        assert "retry-after" in answer.headers or answer.status_code == 409
        pause(0.2)


def test_an_upload_goes_on_at_another_process_after_kill_9(pair: Pair) -> None:
    dice = random.Random(1)
    data = os.urandom(3 * PART)
    url = pair.a.create(len(data))
    acknowledged = 0
    # Given a client that sends chunk after chunk to a process that is killed at some moment
    killer = threading.Timer(dice.uniform(0.1, 0.6), pair.a.kill)
    killer.start()
    try:
        while acknowledged < len(data):
            chunk = data[acknowledged : acknowledged + dice.randint(1, PART)]
            answer = pair.a.patch(url, acknowledged, chunk)
            assert answer.status_code == 204, answer.text
            acknowledged = int(answer.headers["upload-offset"])
    except httpx.TransportError:
        pass
    killer.join()
    # When it turns to another process
    url = pair.at_b(url)
    assert acknowledged <= pair.b.offset(url) <= len(data)
    # Then the upload is completed there, with the right bytes
    assert pair.b.source_sha(finish(pair.b, url, data)) == sha(data)
    assert pair.b.stored(url) == -1


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_full_parts_of_a_request_that_never_ended_survive_kill_9(pair: Pair) -> None:
    data = os.urandom(4 * PART)
    url = pair.a.create(len(data))
    # Given a single long request, of which parts have arrived, with a pause longer than states wait
    connection = pair.a.half_a_patch(url, 0, data[: PART + MIB], len(data))
    pause(2.2)
    connection.sendall(data[PART + MIB : 3 * PART])
    wait_for(lambda: pair.a.stored(url) >= PART)
    pair.a.kill()
    connection.close()
    assert pair.b.offset(pair.at_b(url)) >= PART
    assert pair.b.source_sha(finish(pair.b, pair.at_b(url), data)) == sha(data)


def test_a_silent_connection_at_one_process_gives_way_to_another(shared: Pair) -> None:
    # Five rounds, of which one at least is quick: in the others somebody else may have the processor
    assert any(seconds_to_go_on_elsewhere(shared) < TAKEOVER for _ in range(5))


def seconds_to_go_on_elsewhere(pair: Pair) -> float:
    data = os.urandom(MIB)
    url = pair.a.create(len(data))
    lost = pair.a.half_a_patch(url, 0, data[:1000], len(data))
    pause(0.5)
    # When the client asks the other process / Then it soon hears the true offset, and may go on there
    before = time.monotonic()
    assert pair.b.offset(pair.at_b(url)) == 1000
    waited = time.monotonic() - before
    assert pair.b.patch(pair.at_b(url), 1000, data[1000:]).status_code == 204
    lost.settimeout(30)
    assert b" 423 " in lost.recv(4096).split(b"\r\n")[0]
    lost.close()
    return waited


def test_a_connection_that_sends_at_one_process_keeps_the_upload(shared: Pair) -> None:
    pair = shared
    url = pair.a.create(1000)
    busy = pair.a.half_a_patch(url, 0, b"a", 1000)
    sending = True

    def send() -> None:
        with suppress(OSError):  # it will be ended
            while sending:
                busy.sendall(b"a")
                pause(0.05)

    thread = threading.Thread(target=send)
    thread.start()
    pause(1.2)
    answer = pair.b.patch(pair.at_b(url), 0, b"b" * 1000)
    assert (answer.status_code, answer.json()["code"]) == (423, "upload_locked")
    assert int(answer.headers["retry-after"]) > 0
    # But a DELETE ends it, wherever it comes
    assert httpx.delete(pair.at_b(url), headers=TUS, timeout=15).status_code == 204
    sending = False
    thread.join()
    busy.close()
    assert pair.a.head(url).status_code == 404
    assert pair.b.stored(url) == -1


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_a_process_that_was_stopped_and_goes_on_late_changes_nothing(pair: Pair) -> None:
    data, other = os.urandom(2 * PART + MIB), os.urandom(2 * PART + MIB)
    url = pair.a.create(len(data))
    assert pair.a.patch(url, 0, data[:MIB]).status_code == 204
    # Given a request of other bytes in a process that is stopped for longer than its lease
    zombie = pair.a.half_a_patch(url, MIB, other[MIB : 2 * MIB], len(data) - MIB)
    pause(0.5)
    assert pair.a.process is not None
    pair.a.process.send_signal(signal.SIGSTOP)
    try:
        # When another process has taken over, and got half of the rest
        there = pair.at_b(url)
        assert pair.b.offset(there) == MIB
        assert pair.b.patch(there, MIB, data[MIB : PART + MIB]).status_code == 204
    finally:
        pair.a.process.send_signal(signal.SIGCONT)
    # And the first one goes on
    zombie.sendall(other[2 * MIB :])
    zombie.settimeout(20)
    # Then it is told that the upload is not its own any more, or finds the connection closed
    assert b" 204 " not in zombie.recv(4096).split(b"\r\n")[0]
    zombie.close()
    # And nothing of it is in the source
    assert pair.b.offset(there) >= PART
    assert pair.b.source_sha(finish(pair.b, there, data)) == sha(data)


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_processes_that_recover_at_once_finish_an_upload_once(pair: Pair) -> None:
    # Given complete uploads of which a killed process told nobody
    created = [httpx.post(f"{pair.a.url}/files", headers={**TUS, "Upload-Length": "9"}) for _ in range(4)]
    for each in created:
        assert pair.a.patch(each.headers["location"], 0, b"12345678").status_code == 204
    pair.kill()
    complete_behind_their_backs(pair.a, [each.headers["location"] for each in created])
    # When several processes start together
    pair.start()
    # Then each asset has its source
    for each in created:
        wait_for(lambda asset=each.headers["rushes-asset"]: pair.b.asset(asset)["state"] == "ingested")
        assert pair.a.source_sha(each.headers["rushes-asset"]) == sha(b"123456789")
        assert pair.a.stored(each.headers["location"]) == -1


def parts_of(pair: Pair, data: bytes, cuts: list[int]) -> list[str]:
    """Paths of partial uploads of no bytes."""
    sizes = [end - start for start, end in itertools.pairwise(cuts)]
    urls = [pair.a.create(size, **{"Upload-Concat": "partial"}) for size in sizes]
    return [url.removeprefix(pair.a.url) for url in urls]


def join(server: Server, paths: list[str]) -> httpx.Response:
    headers = {**TUS, "Upload-Concat": f"final;{' '.join(paths)}"}
    return httpx.post(f"{server.url}/files", headers=headers, timeout=30)


def test_parts_that_come_through_several_processes_become_one_upload(pair: Pair) -> None:
    data = random.Random(7).randbytes(2 * PART + 4321)
    cuts = [0, 5, PART + 1, 2 * PART, len(data)]
    paths = parts_of(pair, data, cuts)
    # Given an upload that waits for its parts, and is asked for at both
    created = [join(server, paths) for server in (pair.a, pair.b)]
    assert [answer.status_code for answer in created] == [201, 201]
    (asset,) = {answer.headers["rushes-asset"] for answer in created}
    # When the parts come through both, the last ones at the same moment
    threads = [
        threading.Thread(
            target=lambda at=at: (pair.a, pair.b)[at % 2].patch(
                (pair.a, pair.b)[at % 2].url + paths[at], 0, data[cuts[at] : cuts[at + 1]]
            )
        )
        for at in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Then it is put together once
    wait_for(lambda: pair.a.asset(asset)["state"] == "ingested")
    assert pair.b.source_sha(asset) == sha(data)
    path = created[0].headers["location"].removeprefix(pair.a.url)
    assert pair.b.offset(pair.b.url + path) == len(data)
    assert pair.a.stored(path) == -1


@pytest.mark.parametrize("wait", [0.01, 0.1, 0.25])
def test_joining_that_is_killed_is_done_by_another_process(pair: Pair, wait: float) -> None:
    data = random.Random(8).randbytes(2 * PART + 99)
    cuts = [0, PART - 1, len(data)]
    paths = parts_of(pair, data, cuts)
    for at, path in enumerate(paths):
        assert pair.b.patch(pair.b.url + path, 0, data[cuts[at] : cuts[at + 1]]).status_code == 204
    # Given a process that is killed while it puts an upload together, perhaps just before or after
    killer = threading.Timer(wait, pair.a.kill)
    killer.start()
    with suppress(httpx.TransportError):
        join(pair.a, paths)
    killer.join()
    # When its client, who heard nothing, asks another process for the same / Then there is one asset, and it is whole
    created = join(pair.b, paths)
    assert created.status_code == 201
    asset = created.headers["rushes-asset"]
    wait_for(
        lambda: pair.b.head(created.headers["location"]).headers.get("upload-offset") == str(len(data)), seconds=40
    )
    assert [found["id"] for found in httpx.get(f"{pair.b.url}/v1/assets").json()] == [asset]
    assert pair.b.source_sha(asset) == sha(data)


def test_bytes_that_were_overwritten_are_asked_for_again(shared: Pair) -> None:
    server, data = shared.a, os.urandom(2 * PART + 5)
    url = server.create(len(data))
    assert server.patch(url, 0, data[: 2 * PART]).status_code == 204
    # Given a part that somebody else has replaced by other bytes
    assert server.bucket
    key = f"sources/default/{server.head(url).headers['rushes-asset']}/1"
    (multipart,) = [found["UploadId"] for found in server.bucket.uploads(key)]
    server.bucket.upload_part(key, multipart, 2, os.urandom(PART))
    # When the last bytes come / Then the upload is not finished but falls back, and is then completed with the right ones
    answer = server.patch(url, 2 * PART, data[2 * PART :])
    assert problem_of(answer) == (409, "upload_damaged")
    assert server.offset(url) == PART
    assert server.source_sha(finish(server, url, data)) == sha(data)


def complete_behind_their_backs(server: Any, urls: list[str]) -> None:
    from rushes.ingest.s3 import S3UploadStore

    store = S3UploadStore(Bucket.parse(server.options["storage"]))
    for url in urls:
        appender = store.append(url.rsplit("/", 1)[1])
        appender.write([b"9"])
        appender.commit()
        appender.close()


# -- a store that is in trouble ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def proxy(s3_keys: Swift) -> Iterator[Proxy]:
    with faulty(s3_keys.port) as proxy:
        yield proxy


@pytest.fixture
def trouble(proxy: Proxy) -> Iterator[Proxy]:
    yield proxy
    proxy.fault = None


@pytest.fixture(scope="module")
def behind(
    tmp_path_factory: pytest.TempPathFactory, proxy: Proxy, options: dict[str, Any], s3_keys: Swift
) -> Iterator[Server]:
    """A server whose bucket is reached through the proxy."""
    storage = options["storage"].replace(f":{s3_keys.port}", f":{proxy.port}")
    server = Server(tmp_path_factory.mktemp("behind") / "data", {**options, "storage": storage}).start()
    yield server
    server.kill()


def problem_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def test_a_store_that_fails_in_the_middle_costs_nothing_acknowledged(behind: Any, trouble: Proxy) -> None:
    data = os.urandom(PART + MIB)
    url = behind.create(len(data))
    assert behind.patch(url, 0, data[:MIB]).status_code == 204
    # Given a store that answers everything with 503
    trouble.fault = Answer(status=503, method="PUT")
    answer = behind.patch(url, MIB, data[MIB:])
    # Then the request says so, and when to come back
    assert problem_of(answer) == (503, "storage_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert trouble.fault.hits > 0
    # When it is well again / Then nothing is lost
    trouble.fault = None
    assert behind.offset(url) == MIB
    assert behind.source_sha(finish(behind, url, data)) == sha(data)
    assert "Traceback" not in behind.log.read_text()


def test_a_store_that_cannot_be_asked_makes_clients_wait(behind: Any, trouble: Proxy) -> None:
    url = behind.create(10)
    behind.patch(url, 0, b"12345")
    trouble.fault = Answer(status=500)
    # HEAD must not make a client start anew
    assert httpx.head(url, headers=TUS, timeout=30).status_code == 423
    answer = httpx.post(f"{behind.url}/files", headers={**TUS, "Upload-Length": "1"}, timeout=30)
    assert problem_of(answer) == (503, "storage_unavailable")
    trouble.fault = None
    assert behind.offset(url) == 5


@pytest.mark.parametrize(("times", "status"), [(1, 204), (-1, 503)])
def test_a_completion_whose_answer_is_lost_is_recognised(behind: Any, trouble: Proxy, times: int, status: int) -> None:
    data = os.urandom(PART + 5)
    url = behind.create(len(data))
    assert behind.patch(url, 0, data[:PART]).status_code == 204
    # Given a store that completes the upload and does not say so, once or again and again
    trouble.fault = Silence(method="POST", times=times)
    answer = httpx.patch(url, content=data[PART:], headers={**PATCH, "Upload-Offset": str(PART)}, timeout=60)
    assert answer.status_code == status
    assert trouble.fault.hits > 0
    # When it is well again / Then the next who asks finds the upload complete
    trouble.fault = None
    assert behind.offset(url) == len(data)
    asset = behind.head(url).headers["rushes-asset"]
    assert behind.source_sha(asset) == sha(data)
    assert behind.asset(asset)["state"] == "ingested"


def test_a_full_store_is_507_and_keeps_the_offset(behind: Any, trouble: Proxy) -> None:
    url = behind.create(10)
    assert behind.patch(url, 0, b"12345").status_code == 204
    trouble.fault = Answer(status=507, method="PUT")
    assert problem_of(behind.patch(url, 5, b"67890")) == (507, "insufficient_storage")
    trouble.fault = None
    assert behind.offset(url) == 5


def test_wrong_keys_are_told_to_the_operator_once(
    start_server: Callable[..., Any], options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start_server(**options)
    server.kill()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    server.start()
    for _ in range(3):
        answer = httpx.post(f"{server.url}/files", headers={**TUS, "Upload-Length": "1"})
        assert problem_of(answer) == (503, "storage_unavailable")
    said = server.log.read_text()
    assert said.count("The object store refuses us") == 1
    assert "AWS_SECRET_ACCESS_KEY" in said
    assert "wrong" not in said
    assert "Traceback" not in said


def test_a_database_that_is_away_is_not_taken_for_the_store(
    tmp_path: Path, options: dict[str, Any], postgres: Any
) -> None:
    url = postgres.fresh()
    server = Server(tmp_path / "data", {**options, "settings": {"database_url": url}}).start()
    postgres.drop(url)
    try:
        answer = httpx.post(f"{server.url}/files", headers={**TUS, "Upload-Length": "1"}, timeout=30)
    finally:
        server.kill()
    assert problem_of(answer) == (503, "database_unavailable")
    assert int(answer.headers["retry-after"]) > 0
