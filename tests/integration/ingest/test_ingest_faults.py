"""Networks that break, processes that are killed, disks that refuse: what is acknowledged stays."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from rushes.catalog.catalog import Catalog
from rushes.catalog.change import Store
from rushes.catalog.sqlite import SqliteDatabase
from rushes.clock import SystemClock, pause
from rushes.ingest import finish as ingest_finish
from rushes.ingest.access import Caller
from rushes.ingest.admission import admit
from rushes.ingest.hold import STALLED
from rushes.ingest.memory import MemoryUploadStore
from rushes.ingest.requests import Creation
from rushes.ingest.services import Services
from rushes.keys import new_id
from rushes.settings import Settings
from rushes.storage.local import LocalStore

TUS = {"Tus-Resumable": "1.0.0"}
MIB = 2**20
TAKEOVER = 0.5
"""Seconds within which a client that is back has its upload."""
ROUNDS_OF_A_BUSY_MACHINE = 5
"""Of which one at least is as quick as that: in the others somebody else may have the processor."""


def wait_for(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        pause(0.005)


def finish(server, url: str, data: bytes) -> str:
    """Go on from where the server is, to the end; gives the asset."""
    offset = server.offset(url)
    answer = server.patch(url, offset, data[offset:])
    assert answer.status_code == 204, answer.text
    return answer.headers["rushes-asset"]


def test_a_client_that_closes_in_the_middle_loses_nothing(server) -> None:
    data = os.urandom(5 * MIB)
    url = server.create(len(data))
    # Given a PATCH of which 3 MiB and a bit arrive before the client closes
    sent = 3 * MIB + 12345
    connection = server.half_a_patch(url, 0, data[:sent], len(data))
    connection.close()
    # Then exactly these are kept, and the rest completes the file
    wait_for(lambda: server.stored(url) == sent)
    assert server.offset(url) == sent
    assert server.source_sha(finish(server, url, data)) == hashlib.sha256(data).hexdigest()


def test_a_reset_connection_loses_nothing_that_arrived(server) -> None:
    data = os.urandom(2 * MIB)
    url = server.create(len(data))
    connection = server.half_a_patch(url, 0, data[: MIB + 1], len(data))
    wait_for(lambda: server.stored(url) == MIB + 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    connection.close()
    assert server.source_sha(finish(server, url, data)) == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("settled", [True, False], ids=["bytes-stored", "bytes-on-the-way"])
def test_a_silent_half_open_connection_gives_way_to_the_client_that_is_back(server, settled: bool) -> None:
    assert any(seconds_to_come_back(server, settled=settled) < TAKEOVER for _ in range(ROUNDS_OF_A_BUSY_MACHINE))


def seconds_to_come_back(server: Any, *, settled: bool) -> float:
    data = os.urandom(2 * MIB)
    url = server.create(len(data))
    # Given a connection that stays open and says nothing more
    lost = server.half_a_patch(url, 0, data[: MIB + 7], len(data))
    if settled:
        wait_for(lambda: server.stored(url) == MIB + 7)
    # When the client asks on another one
    before = time.monotonic()
    offset = server.offset(url)
    waited = time.monotonic() - before
    # Then it soon hears the true offset, which the next PATCH may use; what was on the way when it asked may be lost
    assert offset == server.stored(url)
    assert offset == MIB + 7 if settled else offset <= MIB + 7
    assert server.patch(url, offset, data[offset:]).status_code == 204
    # And the old request was told to end
    lost.settimeout(30)
    assert b" 423 " in lost.recv(4096).split(b"\r\n")[0]
    lost.close()
    return waited


def test_a_patch_takes_over_from_a_silent_one_without_asking_first(server) -> None:
    assert any(seconds_to_take_over(server) < TAKEOVER for _ in range(ROUNDS_OF_A_BUSY_MACHINE))


def seconds_to_take_over(server: Any) -> float:
    data = os.urandom(MIB)
    url = server.create(len(data))
    lost = server.half_a_patch(url, 0, data[:1000], len(data))
    wait_for(lambda: server.stored(url) == 1000)
    before = time.monotonic()
    assert server.patch(url, 1000, data[1000:]).status_code == 204
    waited = time.monotonic() - before
    lost.close()
    return waited


def test_a_client_that_sends_keeps_its_upload(server) -> None:
    assert any(keeps_what_it_sends(server) for _ in range(ROUNDS_OF_A_BUSY_MACHINE))


def keeps_what_it_sends(server: Any) -> bool:
    """False where it was silent against its will."""
    data = os.urandom(8 * MIB)
    url = server.create(len(data))
    # Given a client that sends, little by little
    first = server.half_a_patch(url, 0, data[:1000], len(data))
    answers: list[httpx.Response] = []

    def others() -> None:
        for offset in (0, 1000, 5 * MIB):
            answers.append(server.patch(url, offset, b"b" * 1000))

    thread = threading.Thread(target=others)
    thread.start()
    # When others want to append too, wherever they begin
    sent, silence, before = 1000, 0.0, time.monotonic()
    while thread.is_alive():
        with suppress(OSError):
            first.sendall(data[sent : sent + 4096])
        sent += 4096
        pause(0.01)
        silence, before = max(silence, time.monotonic() - before), time.monotonic()
    thread.join()
    if silence > STALLED / 2:  # this process had no processor for a while, so nobody can tell
        first.close()
        return False
    # Then they are refused, and the first goes on to the end
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(423, "upload_locked")] * 3
    first.sendall(data[sent:])
    first.settimeout(20)
    head = first.recv(4096).decode()
    assert " 204 " in head.split("\r\n")[0]
    asset = head.lower().split("rushes-asset: ")[1].split("\r\n")[0]
    assert server.source_sha(asset) == hashlib.sha256(data).hexdigest()
    first.close()
    return True


def test_racing_appends_leave_one_whole_file(server) -> None:
    data = {letter: letter.encode() * (4 * MIB) for letter in "abcd"}
    url = server.create(4 * MIB)
    answers: dict[str, httpx.Response] = {}
    threads = [
        threading.Thread(target=lambda name=name: answers.update({name: server.patch(url, 0, data[name])}))
        for name in data
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [name for name, answer in answers.items() if answer.status_code == 204]
    assert len(winners) == 1
    assert {answer.status_code for answer in answers.values()} <= {204, 409, 423}
    asset = answers[winners[0]].headers["rushes-asset"]
    assert server.source_sha(asset) == hashlib.sha256(data[winners[0]]).hexdigest()


def test_delete_ends_an_append_that_is_under_way(server) -> None:
    url = server.create(1000)
    connection = server.half_a_patch(url, 0, b"a" * 500, 1000)
    wait_for(lambda: server.stored(url) == 500)
    assert httpx.delete(url, headers=TUS).status_code == 204
    assert server.head(url).status_code == 404
    connection.close()


ROUNDS = [*range(6), *(pytest.param(number, marks=pytest.mark.nightly) for number in range(6, 100))]


@pytest.mark.parametrize("round_", ROUNDS)
def test_every_acknowledged_byte_survives_kill_9_at_a_random_byte(server, round_: int) -> None:
    dice = random.Random(round_)
    data = os.urandom(24 * MIB)
    last = dice.randrange(len(data))
    url = server.create(len(data))
    acknowledged = 0
    # Given a client that sends chunk after chunk, and a server that is killed when a certain byte has been sent
    while (end := min(acknowledged + dice.randint(1, 3 * MIB), len(data))) <= last:
        answer = server.patch(url, acknowledged, data[acknowledged:end])
        assert answer.status_code == 204
        acknowledged = int(answer.headers["upload-offset"])
        assert acknowledged == end
    connection = server.half_a_patch(url, acknowledged, data[acknowledged:last], end - acknowledged)
    server.kill()
    connection.close()
    # When it is started again
    server.start()
    # Then nothing acknowledged is missing, what is there is right, and the upload can be completed
    assert acknowledged <= server.offset(url) <= last
    asset = finish(server, url, data)
    assert server.source_sha(asset) == hashlib.sha256(data).hexdigest()
    assert server.asset(asset)["state"] == "ingested"


@pytest.mark.parametrize("round_", range(3))
def test_every_acknowledged_byte_survives_kill_9_at_a_random_moment(server, round_: int) -> None:
    dice = random.Random(round_)
    data = os.urandom(24 * MIB)
    url = server.create(len(data))
    acknowledged = 0
    killer = threading.Timer(dice.uniform(0.01, 0.25), server.kill)
    killer.start()
    try:
        while acknowledged < len(data):
            chunk = data[acknowledged : acknowledged + dice.randint(1, 3 * MIB)]
            answer = server.patch(url, acknowledged, chunk)
            assert answer.status_code == 204
            acknowledged = int(answer.headers["upload-offset"])
    except httpx.TransportError:
        pass
    killer.join()
    server.process.wait(10)
    server.start()
    assert acknowledged <= server.offset(url) <= len(data)
    assert server.source_sha(finish(server, url, data)) == hashlib.sha256(data).hexdigest()


def test_bytes_of_a_request_that_never_ended_survive_kill_9_too(server) -> None:
    data = os.urandom(8 * MIB)
    url = server.create(len(data))
    connection = server.half_a_patch(url, 0, data[: 5 * MIB + 99], len(data))
    wait_for(lambda: server.stored(url) == 5 * MIB + 99)
    server.kill()
    connection.close()
    server.start()
    assert server.offset(url) == 5 * MIB + 99
    assert server.source_sha(finish(server, url, data)) == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("round_", range(3))
def test_every_small_file_that_was_acknowledged_survives_kill_9(server, round_: int) -> None:
    created: dict[str, bytes] = {}

    def create() -> None:
        with suppress(httpx.TransportError), httpx.Client() as client:
            while True:
                data = os.urandom(random.randrange(1, 20_000))
                answer = client.post(f"{server.url}/files", content=data, headers=_with_all(data))
                assert answer.status_code == 201
                assert answer.headers["upload-offset"] == str(len(data))
                created[answer.headers["location"]] = data

    # Given clients that create small files, many at once, and a server that is killed meanwhile
    clients = [threading.Thread(target=create) for _ in range(8)]
    for client in clients:
        client.start()
    wait_for(lambda: len(created) > 20 * (round_ + 1))
    server.kill()
    for client in clients:
        client.join()
    # When it is started again / Then each that was acknowledged is there, once, and whole
    server.start()
    stored = {path.read_bytes() for path in (server.data / "objects" / "sources").rglob("*") if path.is_file()}
    assert stored.issuperset(created.values())
    for url, data in created.items():
        assert server.offset(url) == len(data)
    # And nothing is half there: what was not acknowledged is finished, or has no bytes
    for asset in server.assets():
        assert asset["state"] in ("ingested", "uploading")
        assert (asset["source"] is None) is (asset["state"] == "uploading")


def test_small_files_to_a_store_that_is_down_wait_for_their_bytes(server) -> None:
    (server.data / "out-of-order").touch()
    data = os.urandom(5000)
    answer = httpx.post(f"{server.url}/files", content=data, headers=_with_all(data))
    assert answer.status_code == 201
    assert answer.headers["upload-offset"] == "0"
    (server.data / "out-of-order").unlink()
    assert server.source_sha(finish(server, answer.headers["location"], data)) == hashlib.sha256(data).hexdigest()


def _with_all(data: bytes) -> dict[str, str]:
    return {**TUS, "Content-Type": "application/offset+octet-stream", "Upload-Length": str(len(data))}


@pytest.mark.parametrize("busy", [False, True], ids=["silent", "sending"])
def test_sigterm_in_the_middle_ends_soon_and_keeps_the_bytes(server, busy: bool) -> None:
    data = os.urandom(64 * MIB)
    url = server.create(len(data))
    connection = server.half_a_patch(url, 0, data[: 2 * MIB + 5], len(data))
    wait_for(lambda: server.stored(url) >= MIB)
    stop = threading.Event()
    sent = [2 * MIB + 5]

    def send() -> None:
        with suppress(OSError):  # the server goes
            while not stop.is_set():
                sent[0] += connection.send(data[sent[0] : sent[0] + 1000])
                pause(0.005)

    sender = threading.Thread(target=send if busy else stop.wait)
    sender.start()
    before = time.monotonic()
    server.end(signal.SIGTERM)
    assert time.monotonic() - before < 3.0
    stop.set()
    sender.join()
    connection.close()
    # Then what the server had got is kept
    server.start()
    offset = server.offset(url)
    assert 2 * MIB + 5 <= offset <= sent[0]
    assert server.source_sha(finish(server, url, data)) == hashlib.sha256(data).hexdigest()


def test_a_kill_between_hand_over_and_transaction_is_mended_at_the_start(server) -> None:
    data = os.urandom(1000)
    created = httpx.post(f"{server.url}/files", headers={**TUS, "Upload-Length": "1000"})
    url, asset = created.headers["location"], created.headers["rushes-asset"]
    server.patch(url, 0, data[:999])
    # Given the files as such a kill leaves them: complete, renamed, and the catalog knows nothing of it
    server.kill()
    stored = server.data / "uploads" / url.rsplit("/", 1)[1]
    with stored.open("ab") as stream:
        stream.write(data[999:])
    target = server.data / "objects" / "sources" / "default" / asset / "1"
    target.parent.mkdir(parents=True)
    stored.rename(target)
    # When the server starts / Then the asset has its source, without any client
    server.start()
    assert server.asset(asset)["state"] == "ingested"
    assert server.source_sha(asset) == hashlib.sha256(data).hexdigest()
    assert server.offset(url) == 1000


def test_a_kill_before_the_hand_over_is_mended_at_the_start(server) -> None:
    created = httpx.post(f"{server.url}/files", headers={**TUS, "Upload-Length": "1000"})
    url, asset = created.headers["location"], created.headers["rushes-asset"]
    server.patch(url, 0, b"x" * 999)
    server.kill()
    with (server.data / "uploads" / url.rsplit("/", 1)[1]).open("ab") as stream:
        stream.write(b"x")
    server.start()
    assert server.asset(asset)["state"] == "ingested"
    assert server.stored(url) == -1


def test_a_store_that_is_down_at_the_end_never_makes_a_client_start_over(server) -> None:
    created = httpx.post(f"{server.url}/files", headers={**TUS, "Upload-Length": "4"})
    url, asset = created.headers["location"], created.headers["rushes-asset"]
    # Given an object store that takes nothing
    (server.data / "out-of-order").touch()
    # When the last byte comes / Then that is not called done, and HEAD asks for patience
    assert server.patch(url, 0, b"abcd").status_code == 503
    assert server.head(url).status_code == 423
    assert server.asset(asset)["state"] == "uploading"
    # When the store is back / Then the same HEAD finishes the upload
    (server.data / "out-of-order").unlink()
    assert server.offset(url) == 4
    assert server.asset(asset)["state"] == "ingested"


def test_orphaned_bytes_are_removed_at_the_start_once_they_are_old(server) -> None:
    young, old = (server.data / "uploads" / new_id(1.0, number) for number in (1, 2))
    for path in (young, old):
        path.write_bytes(b"left behind")
    os.utime(old, (1.0, 1.0))
    server.kill()
    server.start()
    assert (young.exists(), old.exists()) == (True, False)


def test_an_expired_upload_is_removed_and_its_asset_says_why(start_server) -> None:
    server = start_server(settings={"upload_expiry": 60.0})
    created = httpx.post(f"{server.url}/files", headers={**TUS, "Upload-Length": "4"})
    url, asset = created.headers["location"], created.headers["rushes-asset"]
    server.patch(url, 0, b"ab")
    server.kill()
    _age(server.data, url, seconds=120)
    server.start()
    assert server.head(url).status_code == 404
    assert server.stored(url) == -1
    assert (server.asset(asset)["state"], server.asset(asset)["reason"]["code"]) == ("failed", "upload_expired")


def test_an_upload_whose_last_byte_is_recent_is_kept(start_server) -> None:
    server = start_server(settings={"upload_expiry": 60.0})
    url = server.create(4)
    server.patch(url, 0, b"ab")
    server.kill()
    # Given a row that is expired, and bytes that are not
    _age(server.data, url, seconds=120, file=False)
    server.start()
    assert server.offset(url) == 2


def _age(data: Path, url: str, *, seconds: float, file: bool = True) -> None:
    """Move an upload into the past."""
    import sqlite3

    name = url.rsplit("/", 1)[1]
    with sqlite3.connect(data / "rushes.db") as connection:
        connection.execute("UPDATE uploads SET expires_at = expires_at - ? WHERE id = ?", (seconds, name))
    connection.close()
    if file:
        then = time.time() - seconds
        os.utime(data / "uploads" / name, (then, then))


def test_the_source_of_an_asset_that_was_deleted_meanwhile_is_not_kept(tmp_path: Path) -> None:
    # Given an upload that was complete when its asset was deleted
    database = SqliteDatabase(tmp_path / "rushes.db")
    database.migrate()
    catalog, objects, clock = Catalog(Store(database)), LocalStore(tmp_path / "objects"), SystemClock()
    services = Services(
        catalog, objects, MemoryUploadStore(), Settings(data=tmp_path, min_free_bytes=0), clock, lambda request: "t"
    )
    creation = Creation(length=3, metadata={}, raw_metadata="", body=False)
    admitted = admit(services, Caller("t"), creation)
    upload, asset = admitted.upload, admitted.asset
    assert asset is not None
    appender = services.uploads.append(upload.id)
    appender.write([b"abc"])
    appender.close()
    catalog.delete(asset.id)
    # When a process that does not know yet finishes it / Then nothing stays that nobody would ever remove
    ingest_finish.finish(services, upload)
    assert list(objects.list("sources/")) == []
    assert list(services.uploads.list()) == []
    database.close()
