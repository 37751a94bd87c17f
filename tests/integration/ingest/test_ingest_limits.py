"""What a tenant may have at a time and what a server takes on, over a real server: let in, refused, slowed down."""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import httpx
import pytest

from rushes.catalog import workforce
from rushes.catalog.workforce import Presence
from rushes.facts import SourceRef
from rushes.ingest.throttle import Throttle
from rushes.states import Pool
from tests.integration.ingest.conftest import wait_for
from tests.integration.ingest.limited import ANN, BOB, PATCH, Limited, bearer, code

MakeHouse = Callable[..., Limited]


def retry_after(answer: httpx.Response) -> int:
    return int(answer.headers["retry-after"])


def upload_of(url: str) -> str:
    return url.partition("?")[0].rsplit("/", 1)[1]


# -- admission --------------------------------------------------------------------------------------------------------


def test_a_tenant_at_its_quota_is_told_when_to_come_back_and_others_are_not_disturbed(make_house: MakeHouse) -> None:
    house = make_house(tenant_open_uploads=2)
    first = house.post().headers["location"]
    house.post()
    refused = house.post()
    assert code(refused) == (429, "too_many_uploads")
    assert retry_after(refused) > 0
    assert house.post(key=BOB).status_code == 201
    assert code(house.post(house.address()["url"])) == (429, "too_many_uploads")
    # What was let in goes on, and when it is done there is room again
    assert house.patch(first, 0, b"abcdefghi", **bearer(ANN)).status_code == 204
    assert house.post().status_code == 201


def test_a_single_tenant_may_have_more(make_house: MakeHouse, tmp_path: Path) -> None:
    (tmp_path / "quotas.toml").write_text("[tenant.bob]\nopen_uploads = 3\n")
    house = make_house(tenant_open_uploads=1, quotas=str(tmp_path / "quotas.toml"))
    assert [house.post(key=ANN).status_code for _ in range(2)] == [201, 429]
    assert [house.post(key=BOB).status_code for _ in range(4)] == [201, 201, 201, 429]


def test_bytes_that_are_declared_or_may_come_are_reserved(make_house: MakeHouse) -> None:
    house = make_house(tenant_bytes_open=100, upload_reserve_bytes=60)
    deferred = house.post(length=None).headers["location"]
    assert code(house.post(length=41)) == (429, "quota_bytes_open")
    assert code(house.post(length=101)) == (413, "over_limit_bytes")
    # What has arrived counts beside what may come
    assert house.patch(deferred, 0, b"x" * 30, **bearer(ANN)).status_code == 204
    assert code(house.post(length=11)) == (429, "quota_bytes_open")
    # A length that is said is what counts
    assert house.patch(deferred, 30, b"abc", Upload_Length="35", **bearer(ANN)).status_code == 204
    assert house.post(length=41).status_code == 201
    assert house.delete(deferred, **bearer(ANN)).status_code == 204
    assert house.post(length=59).status_code == 201


def test_a_days_bytes(make_house: MakeHouse) -> None:
    house = make_house(tenant_bytes_per_day=10)
    done = house.post(length=6).headers["location"]
    assert house.patch(done, 0, b"abcdef", **bearer(ANN)).status_code == 204
    refused = house.post(length=5)
    assert code(refused) == (429, "quota_bytes_per_day")
    assert 86_000 < retry_after(refused) <= 86_400
    assert house.post(length=4).status_code == 201


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_of_fifty_creations_at_once_ten_are_let_in(
    make_house: MakeHouse, database: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres").fresh() if database == "postgresql" else ""
    house = make_house(tenant_open_uploads=10, database_url=url)
    with ThreadPoolExecutor(50) as clients:
        answers = list(clients.map(lambda _: house.post(), range(50)))
    assert sorted(answer.status_code for answer in answers) == [201] * 10 + [429] * 40
    let_in = {upload_of(answer.headers["location"]) for answer in answers if answer.status_code == 201}
    assert {upload for upload, _ in house.uploads.list()} == let_in  # those that were refused left no bytes


def test_room_on_the_disk_is_given_once(make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    house = make_house(min_free_bytes=1000)
    monkeypatch.setattr(house.uploads, "free", lambda: 2000)  # a disk of that size
    first = house.post(length=700).headers["location"]
    assert code(house.post(length=301)) == (507, "insufficient_storage")
    assert house.post(length=300, key=BOB).status_code == 201
    assert code(house.post(length=1)) == (507, "insufficient_storage")
    assert house.delete(first, **bearer(ANN)).status_code == 204
    assert house.post(length=700).status_code == 201


def test_uploads_of_unknown_length_shut_nobody_out(make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    house = make_house(upload_reserve_bytes=100)
    monkeypatch.setattr(house.uploads, "free", lambda: 2000)
    assert [house.post(length=None).status_code for _ in range(10)] == [201] * 10
    growing = house.post(length=None).headers["location"]
    assert house.post(length=900).status_code == 201
    # But one may not become what others have been promised
    assert code(house.patch(growing, 0, b"a", Upload_Length="101", **bearer(ANN))) == (507, "insufficient_storage")
    assert house.patch(growing, 0, b"a", Upload_Length="100", **bearer(ANN)).status_code == 204


def test_over_its_backlog_the_server_takes_no_more(make_house: MakeHouse) -> None:
    house = make_house(max_backlog_seconds=100, cpu_seconds_per_gb=1e9)  # a second for each byte
    with house.database.write() as tx:
        workforce.report(tx, "w1", Presence(pools=(Pool.IO, Pool.VIDEO), slots=2), house.clock.now())
    large = house.post(length=300).headers["location"]
    refused = wait_for(lambda: (answer := house.post(length=1)).status_code == 503 and answer, "the refusal")
    assert code(refused) == (503, "backlog_too_long")
    assert retry_after(refused) >= 30
    # What was let in goes on
    assert house.patch(large, 0, b"x" * 300, **bearer(ANN)).status_code == 204
    assert house.post(length=1).status_code == 201


def test_planned_steps_are_backlog(make_house: MakeHouse) -> None:
    house = make_house(max_backlog_seconds=0.1)
    created = house.post(length=1)
    assert created.status_code == 201
    house.catalog.finish_upload(upload_of(created.headers["location"]), SourceRef(key="sources/x", size=1))
    refused = wait_for(lambda: (answer := house.post(length=1)).status_code == 503 and answer, "the refusal")
    assert code(refused) == (503, "backlog_too_long")


# -- pace -------------------------------------------------------------------------------------------------------------


def test_a_slow_sender_is_ended_and_what_it_brought_is_kept(make_house: MakeHouse) -> None:
    house = make_house(upload_min_rate=1000)
    house.ingest.__dict__["throttle"] = Throttle(house.ingest.quotas, 1000, house.clock, window=0.5)
    made = house.address(count=2)
    where, quick = (house.post(made["url"], length).headers["location"] for length in (1000, 500_000))
    connection = house.half_a_patch(where, b"x" * 10, 1000)
    connection.settimeout(20)
    answer = _answer(connection)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"upload_too_slow" in answer
    assert b"connection: close" in answer.lower()
    assert house.head(where).headers["upload-offset"] == "10"
    # Others are not held up, and nobody is ended who sends enough
    assert house.patch(quick, 0, b"y" * 500_000).status_code == 204
    assert house.patch(where, 10, b"x" * 990).status_code == 204


def test_a_slow_first_body_is_ended_too(make_house: MakeHouse) -> None:
    house = make_house(upload_min_rate=1000)
    house.ingest.__dict__["throttle"] = Throttle(house.ingest.quotas, 1000, house.clock, window=0.5)
    head = (
        f"POST /files HTTP/1.1\r\nHost: 127.0.0.1:{house.port}\r\nTus-Resumable: 1.0.0\r\nUpload-Length: 1000\r\n"
        f"Authorization: Bearer {ANN}\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: 1000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", house.port)) as connection:
        connection.settimeout(20)
        connection.sendall(head.encode() + b"abc")
        assert b"upload_too_slow" in _answer(connection)
    ((_, stored),) = house.uploads.list()
    assert stored.size == 3


def _answer(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def test_bandwidth_is_shared_by_a_tenants_requests_and_nobody_elses(make_house: MakeHouse, tmp_path: Path) -> None:
    (tmp_path / "quotas.toml").write_text("[tenant.ann]\nbandwidth = 1_000_000\n")
    house = make_house(quotas=str(tmp_path / "quotas.toml"))
    data = bytes(2_000_000)
    urls = [house.post(length=len(data)).headers["location"] for _ in range(2)]
    fast = house.post(length=len(data), key=BOB).headers["location"]
    started = monotonic()
    with ThreadPoolExecutor(2) as clients:
        sent = [clients.submit(house.patch, url, 0, data, **bearer(ANN)) for url in urls]
        assert house.patch(fast, 0, data, **bearer(BOB)).status_code == 204
        assert not all(one.done() for one in sent)  # the other tenant did not wait for them
        assert [one.result().status_code for one in sent] == [204, 204]
    # 4 MB at 1 MB/s, of which one second's worth may come at once. Slower is possible on any machine, faster is not
    assert monotonic() - started >= 2.9


def test_requests_beyond_those_allowed_wait_and_are_then_told_to_come_back(make_house: MakeHouse) -> None:
    house = make_house(tenant_requests=1)
    house.ingest.__dict__["throttle"] = Throttle(house.ingest.quotas, 0, house.clock, patience=0.2)
    first, second = (house.post(length=100, key=ANN).headers["location"] for _ in range(2))
    other = house.post(length=3, key=BOB).headers["location"]
    made = house.address()
    mine = house.post(made["url"], 100).headers["location"]
    with house.half_a_patch(mine, b"x" * 50, 100) as connection:
        wait_for(lambda: house.uploads.stat(upload_of(mine)).size == 50, "the bytes")
        refused = house.patch(first, 0, b"abc", **bearer(ANN))
        assert code(refused) == (429, "too_many_requests")
        assert retry_after(refused) > 0
        assert house.patch(other, 0, b"abc", **bearer(BOB)).status_code == 204
        assert house.head(first, **bearer(ANN)).status_code == 200  # asking costs no place
        # One that waits is let in as soon as there is room
        house.ingest.__dict__["throttle"]._patience = 30.0
        waiting = ThreadPoolExecutor(1)
        later = waiting.submit(
            httpx.patch, second, content=b"z" * 100, headers={**PATCH, "Upload-Offset": "0", **bearer(ANN)}, timeout=40
        )
        connection.sendall(b"x" * 50)
        assert connection.recv(1000).startswith(b"HTTP/1.1 204")
        assert later.result().status_code == 204
        waiting.shutdown()


def test_a_request_that_is_taken_over_gives_its_place_to_the_one_that_does(make_house: MakeHouse) -> None:
    house = make_house(tenant_requests=1)
    made = house.address()
    where = house.post(made["url"], 100).headers["location"]
    with house.half_a_patch(where, b"x" * 50, 100):  # a phone that has changed networks: nothing comes any more
        wait_for(lambda: house.uploads.stat(upload_of(where)).size == 50, "the bytes")
        assert house.patch(where, 50, b"y" * 50).status_code == 204


def test_what_is_not_limited_is_passed_on_as_it_is(make_house: MakeHouse) -> None:
    house = make_house()
    body = object()
    with house.ingest.throttle.paced("ann", None, body) as pieces:  # type: ignore[arg-type] # nothing of them is looked at
        assert pieces is body
