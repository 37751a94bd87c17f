"""Uploads that are put together from others (tus 1.0.0, Concatenation), and what is left of these afterwards."""

from __future__ import annotations

import base64
import hashlib
import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest

from tests.integration.ingest.conftest import TUS, Server, wait_for

STREAM = {"Content-Type": "application/offset+octet-stream"}
NOBODY = "0123456789abcdefghjkmnpqrs"


@pytest.fixture(scope="module")
def server(shared_server: Server) -> Server:
    """Nothing here breaks it, so one is enough."""
    return shared_server


def part(server: Server, data: bytes, *, send: int | None = None, **headers: str) -> str:
    """Address of a partial upload, of which the first `send` bytes are there."""
    url = server.create(len(data), **{"Upload-Concat": "partial", **headers})
    if send != 0:
        assert server.patch(url, 0, data[:send]).status_code == 204
    return url


def join(server: Server, *urls: str, **headers: str) -> httpx.Response:
    given = {**TUS, "Upload-Concat": f"final;{' '.join(urls)}", **headers}
    return httpx.post(f"{server.url}/files", headers=given, timeout=30)


def code(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["code"])


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def is_ingested(server: Server, asset: str) -> bool:
    return bool(server.asset(asset)["state"] == "ingested")


def test_parts_are_joined_and_only_the_whole_has_an_asset(server: Server) -> None:
    data = random.Random(1).randbytes(14 * 2**20 + 11)
    cuts = [0, 6 * 2**20 + 5, 6 * 2**20 + 6, len(data)]
    # Given parts, which have no assets
    urls = [part(server, data[cuts[at] : cuts[at + 1]]) for at in range(3)]
    for url, size in zip(urls, (6 * 2**20 + 5, 1, 8 * 2**20 + 5), strict=True):
        head = server.head(url)
        assert (head.headers["upload-concat"], head.headers["upload-offset"]) == ("partial", str(size))
        assert "rushes-asset" not in head.headers
        assert "upload-expires" in head.headers
    # When they are joined
    metadata = f"filename {base64.b64encode(b'whole.mp4').decode()}"
    created = join(server, *urls, **{"Upload-Metadata": metadata})
    # Then there is one asset, of their bytes, and HEAD tells what it was made from
    assert created.status_code == 201
    asset = created.headers["rushes-asset"]
    wait_for(lambda: is_ingested(server, asset), "the asset")
    assert server.source_sha(asset) == sha(data)
    assert server.asset(asset)["source"]["filename"] == "whole.mp4"
    head = server.head(created.headers["location"])
    assert head.headers["upload-concat"] == f"final;{' '.join(urls)}"
    assert head.headers["upload-offset"] == head.headers["upload-length"] == str(len(data))
    assert head.headers["upload-metadata"] == metadata


def test_an_answer_that_waited_for_the_whole_says_that_it_is_complete(server: Server) -> None:
    # Of five, for an answer waits a few seconds and then goes before the end
    tried = (join(server, part(server, b"abc"), part(server, b"de")) for _ in range(5))
    created = next(answer for answer in tried if "upload-offset" in answer.headers)
    assert created.headers["upload-offset"] == "5"
    assert is_ingested(server, created.headers["rushes-asset"])


def test_parts_serve_several_times_in_any_order(server: Server) -> None:
    one, two = part(server, b"abc"), part(server, b"de")
    for urls, data in (((one, two), b"abcde"), ((two, one, two), b"deabcde"), ((one, one), b"abcabc")):
        created = join(server, *urls)
        wait_for(lambda asset=created.headers["rushes-asset"]: is_ingested(server, asset), "the asset")
        assert server.source_sha(created.headers["rushes-asset"]) == sha(data)


def test_addresses_of_parts_may_be_relative(server: Server) -> None:
    urls = [part(server, b"abc"), part(server, b"de")]
    relative = [url.removeprefix(server.url) for url in urls]
    created = join(server, *relative)
    assert server.source_sha(created.headers["rushes-asset"]) == sha(b"abcde")
    assert server.head(created.headers["location"]).headers["upload-concat"] == f"final;{' '.join(relative)}"


def test_metadata_of_parts_is_not_inherited(server: Server) -> None:
    name = {"Upload-Metadata": f"filename {base64.b64encode(b'part.mp4').decode()}"}
    created = join(server, part(server, b"abc", **name))
    assert "upload-metadata" not in server.head(created.headers["location"]).headers
    assert server.asset(created.headers["rushes-asset"])["title"] == ""


def test_parts_of_nothing_and_of_a_length_that_came_later(server: Server) -> None:
    answer = httpx.post(f"{server.url}/files", headers={**TUS, "Upload-Concat": "partial", "Upload-Defer-Length": "1"})
    late = answer.headers["location"]
    assert server.patch(late, 0, b"abc", **{"Upload-Length": "3"}).status_code == 204
    nothing = part(server, b"", send=0)
    created = join(server, nothing, late, nothing)
    assert server.source_sha(created.headers["rushes-asset"]) == sha(b"abc")
    created = join(server, nothing)
    assert server.asset(created.headers["rushes-asset"])["source"]["size"] == 0


def test_bytes_may_come_with_the_creation_of_a_part(server: Server) -> None:
    answer = httpx.post(
        f"{server.url}/files",
        content=b"abc",
        headers={**TUS, **STREAM, "Upload-Length": "3", "Upload-Concat": "partial"},
    )
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, "3")
    assert "rushes-asset" not in answer.headers
    created = join(server, answer.headers["location"])
    assert server.source_sha(created.headers["rushes-asset"]) == sha(b"abc")


# -- retries ----------------------------------------------------------------------------------------------------------


def test_a_creation_that_is_sent_again_is_the_same_one(server: Server) -> None:
    one, two = part(server, b"abc"), part(server, b"de")
    metadata = {"Upload-Metadata": f"filename {base64.b64encode(b'a.mp4').decode()}"}
    first = join(server, one, two, **metadata)
    wait_for(lambda: is_ingested(server, first.headers["rushes-asset"]), "the asset")
    again = join(server, one, two, **metadata)
    assert again.status_code == 201
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["rushes-asset"] == first.headers["rushes-asset"]
    assert again.headers["upload-offset"] == "5"
    # Other parts, another order, other metadata, another tenant: another upload
    others = [join(server, one, two), join(server, two, one, **metadata), join(server, one, two, two, **metadata)]
    addresses = {answer.headers["location"] for answer in (first, *others)}
    assert len(addresses) == 4


def test_a_creation_that_is_sent_again_while_parts_still_come_is_the_same_one(server: Server) -> None:
    one = part(server, b"abc", send=1)
    first, again = join(server, one), join(server, one)
    assert again.headers["location"] == first.headers["location"]
    assert "upload-offset" not in again.headers
    # And one that was given up is not
    assert httpx.delete(first.headers["location"], headers=TUS).status_code == 204
    assert join(server, one).headers["location"] != first.headers["location"]


def test_the_same_creations_at_the_same_moment_make_one_asset(server: Server) -> None:
    urls = [part(server, b"abc"), part(server, b"de")]
    answers: list[httpx.Response] = []
    threads = [threading.Thread(target=lambda: answers.append(join(server, *urls))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.headers["location"] for answer in answers}) == 1
    (asset,) = {answer.headers["rushes-asset"] for answer in answers}
    wait_for(lambda: is_ingested(server, asset), "the asset")
    assert server.source_sha(asset) == sha(b"abcde")


# -- concatenation-unfinished -----------------------------------------------------------------------------------------


def test_a_whole_may_be_asked_for_before_its_parts_are_there(server: Server) -> None:
    one, two = part(server, b"abc", send=1), part(server, b"defg", send=0)
    created = join(server, one, two)
    url, asset = created.headers["location"], created.headers["rushes-asset"]
    assert created.status_code == 201
    assert "upload-offset" not in created.headers
    # Then it says its length and no offset, until the last byte of its parts is there
    head = server.head(url)
    assert (head.status_code, head.headers["upload-length"]) == (200, "7")
    assert "upload-offset" not in head.headers
    assert server.patch(two, 0, b"defg").status_code == 204
    assert server.asset(asset)["state"] == "uploading"
    assert server.patch(one, 1, b"bc").status_code == 204
    wait_for(lambda: is_ingested(server, asset), "the asset")
    assert server.source_sha(asset) == sha(b"abcdefg")
    assert server.offset(url) == 7


def test_the_length_of_the_whole_is_told_once_it_can_be_known(server: Server) -> None:
    answer = httpx.post(f"{server.url}/files", headers={**TUS, "Upload-Concat": "partial", "Upload-Defer-Length": "1"})
    late = answer.headers["location"]
    created = join(server, part(server, b"abc"), late)
    url = created.headers["location"]
    assert "upload-length" not in server.head(url).headers
    server.patch(late, 0, b"d", **{"Upload-Length": "2"})
    assert server.head(url).headers["upload-length"] == "5"
    server.patch(late, 1, b"e")
    wait_for(lambda: is_ingested(server, created.headers["rushes-asset"]), "the asset")
    assert server.source_sha(created.headers["rushes-asset"]) == sha(b"abcde")


def test_one_part_may_complete_several(server: Server) -> None:
    one, two = part(server, b"abc", send=2), part(server, b"de")
    assets = [join(server, *urls).headers["rushes-asset"] for urls in ((one, two), (two, one), (one,))]
    server.patch(one, 2, b"c")
    for asset, data in zip(assets, (b"abcde", b"deabc", b"abc"), strict=True):
        wait_for(lambda asset=asset: is_ingested(server, asset), "the asset")
        assert server.source_sha(asset) == sha(data)


def test_a_part_that_is_given_up_fails_those_that_wait_for_it(server: Server) -> None:
    one, two = part(server, b"abc", send=1), part(server, b"de")
    created = join(server, one, two)
    assert httpx.delete(one, headers=TUS).status_code == 204
    asset = created.headers["rushes-asset"]
    wait_for(lambda: server.asset(asset)["state"] == "failed", "the end of the asset")
    assert server.asset(asset)["reason"]["code"] == "upload_part_gone"
    assert server.head(created.headers["location"]).status_code == 404
    assert server.stored(one) == -1
    assert server.offset(two) == 2


# -- what is refused --------------------------------------------------------------------------------------------------


def test_nothing_is_appended_to_a_whole(server: Server) -> None:
    for created in (join(server, part(server, b"abc")), join(server, part(server, b"abc", send=0))):
        answer = server.patch(created.headers["location"], 0, b"abc")
        assert (answer.status_code, code(answer)) == (403, "upload_is_joined")
    answer = httpx.post(
        f"{server.url}/files",
        content=b"abc",
        headers={**TUS, **STREAM, "Upload-Concat": f"final;{part(server, b'abc')}"},
    )
    assert (answer.status_code, code(answer)) == (403, "upload_is_joined")


def test_a_whole_that_is_open_may_be_given_up_and_its_parts_stay(server: Server) -> None:
    one = part(server, b"abc", send=1)
    created = join(server, one)
    assert httpx.delete(created.headers["location"], headers=TUS).status_code == 204
    assert server.head(created.headers["location"]).status_code == 404
    assert server.patch(one, 1, b"bc").status_code == 204
    assert server.asset(created.headers["rushes-asset"])["state"] == "deleted"
    finished = join(server, one)
    assert httpx.delete(finished.headers["location"], headers=TUS).status_code == 204
    assert server.head(finished.headers["location"]).status_code == 404
    assert server.source_sha(finished.headers["rushes-asset"]) == sha(b"abc")
    assert join(server, one).headers["location"] != finished.headers["location"]


def test_a_part_may_be_given_up_when_it_is_complete(server: Server) -> None:
    one = part(server, b"abc")
    created = join(server, one)
    assert httpx.delete(one, headers=TUS).status_code == 204
    assert server.head(one).status_code == 404
    assert server.stored(one) == -1
    assert server.source_sha(created.headers["rushes-asset"]) == sha(b"abc")
    answer = join(server, one, one)
    assert (answer.status_code, code(answer)) == (400, "part_unknown")


def test_only_parts_that_are_there_and_ones_own_are_joined(server: Server) -> None:
    mine, whole = part(server, b"abc"), server.create(3)
    theirs = part(server, b"abc", **{"X-Test-Tenant": "other"}, send=0)
    before = server.stored_ids()
    for url, reason in (
        (f"{server.url}/files/{NOBODY}", "part_unknown"),
        (theirs, "part_unknown"),
        (whole, "part_unsuitable"),
        (join(server, mine).headers["location"], "part_unsuitable"),
        (f"https://elsewhere.example/files/{mine.rsplit('/', 1)[1]}", "bad_concat"),
        (f"{server.url}/v1/assets/{NOBODY}", "bad_concat"),
        ("file:///etc/passwd", "bad_concat"),
        ("../../etc/passwd", "bad_concat"),
    ):
        answer = join(server, mine, url)
        assert (answer.status_code, code(answer)) == (400, reason)
    assert server.stored_ids() == before


def test_a_sum_over_the_limit_is_refused_when_it_is_known(start_server: Callable[..., Server]) -> None:
    server = start_server(settings={"upload_max_bytes": 1000})
    one = part(server, b"x" * 600)
    answer = join(server, one, one)
    assert (answer.status_code, code(answer)) == (413, "over_limit_bytes")
    assert answer.headers["tus-max-size"] == "1000"
    # A part whose length comes later can only show then that it is too much
    late = httpx.post(f"{server.url}/files", headers={**TUS, "Upload-Concat": "partial", "Upload-Defer-Length": "1"})
    created = join(server, one, late.headers["location"])
    assert created.status_code == 201
    server.patch(late.headers["location"], 0, b"y" * 600, **{"Upload-Length": "600"})
    asset = created.headers["rushes-asset"]
    wait_for(lambda: server.asset(asset)["state"] == "failed", "the end of the asset")
    assert server.asset(asset)["reason"]["code"] == "over_limit_bytes"


# -- kills and expiry -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("copied", [0, 1, 3 * 2**20])
def test_a_join_that_was_killed_is_done_again(start_server: Callable[..., Server], copied: int) -> None:
    data = random.Random(4).randbytes(4 * 2**20)
    server = start_server()
    one, two = part(server, data[: 2**20]), part(server, data[2**20 :], send=5)
    created = join(server, one, two)
    url, asset = created.headers["location"], created.headers["rushes-asset"]
    server.kill()
    # Given the files as a kill leaves them: the last byte, a draft of some size, and a catalog that knows of nothing
    name = two.rsplit("/", 1)[1]
    (server.data / "uploads" / name).write_bytes(data[2**20 :])
    (server.data / "uploads" / f"{url.rsplit('/', 1)[1]}-0a1b2c3d.joining").write_bytes(data[:copied])
    # When the server starts / Then the upload is put together, without any client
    server.start()
    wait_for(lambda: is_ingested(server, asset), "the asset")
    assert server.source_sha(asset) == sha(data)
    assert server.offset(url) == len(data)


def test_a_kill_between_join_and_transaction_is_mended_at_the_start(start_server: Callable[..., Server]) -> None:
    server = start_server()
    one = part(server, b"abc", send=1)
    created = join(server, one)
    url, asset = created.headers["location"], created.headers["rushes-asset"]
    server.kill()
    # Given the object, parts that are gone meanwhile, and an upload that the catalog calls open
    target = server.data / "objects" / "sources" / "default" / asset / "1"
    target.parent.mkdir(parents=True)
    target.write_bytes(b"abc")
    (server.data / "uploads" / url.rsplit("/", 1)[1]).unlink()
    with closing(sqlite3.connect(server.data / "rushes.db")) as connection, connection:
        connection.execute("UPDATE uploads SET state = 'terminated' WHERE kind = 'part'")
    # When the server starts / Then the asset has its source: it was complete, whatever became of the parts
    server.start()
    assert is_ingested(server, asset)
    assert server.source_sha(asset) == sha(b"abc")
    assert server.offset(url) == 3


@pytest.mark.parametrize("round_", range(4))
def test_kill_9_in_the_middle_of_joining_leaves_one_whole_asset(
    start_server: Callable[..., Server], round_: int
) -> None:
    data = random.Random(round_).randbytes(48 * 2**20)
    server = start_server()
    third = len(data) // 3
    urls = [part(server, data[at * third : (at + 1) * third]) for at in range(3)]
    # Given a server that is killed while it puts the parts together, perhaps just before or after
    killer = threading.Timer((0.004, 0.015, 0.03, 0.06)[round_], server.kill)
    killer.start()
    with suppress(httpx.TransportError):
        join(server, *urls)
    killer.join()
    assert server.process is not None
    server.process.wait(10)
    # When it starts again / Then there is at most the one asset that was asked for, and it is whole
    server.start()
    assets = [found["id"] for found in httpx.get(f"{server.url}/v1/assets").json()]
    assert len(assets) <= 1
    for asset in assets:
        wait_for(lambda asset=asset: is_ingested(server, asset), "the asset")
        assert server.source_sha(asset) == sha(data)
    # And the parts serve still
    again = join(server, *urls)
    wait_for(lambda: is_ingested(server, again.headers["rushes-asset"]), "the asset")
    assert server.source_sha(again.headers["rushes-asset"]) == sha(data)


def age(data: Path, seconds: float, where: str = "1 = 1") -> None:
    """Move uploads into the past, with their bytes."""
    with closing(sqlite3.connect(data / "rushes.db")) as connection, connection:
        names = [row[0] for row in connection.execute(f"SELECT id FROM uploads WHERE {where}")]
        connection.execute(f"UPDATE uploads SET expires_at = expires_at - ? WHERE {where}", (seconds,))
    for name in names:
        path = data / "uploads" / name
        if path.exists():
            os.utime(path, (time.time() - seconds,) * 2)


def test_parts_that_have_served_go_soon_and_others_later(start_server: Callable[..., Server]) -> None:
    server = start_server()
    used, unused, open_ = part(server, b"abc"), part(server, b"def"), part(server, b"ghi", send=1)
    asset = join(server, used).headers["rushes-asset"]
    server.kill()
    # After an hour the one that was joined is gone
    age(server.data, 3700)
    server.start()
    assert [server.head(url).status_code for url in (used, unused, open_)] == [404, 200, 200]
    assert server.source_sha(asset) == sha(b"abc")
    assert server.stored(used) == -1
    # After a day, all of them
    server.kill()
    age(server.data, 86_400)
    server.start()
    assert [server.head(url).status_code for url in (unused, open_)] == [404, 404]
    assert [server.stored(url) for url in (unused, open_)] == [-1, -1]


def test_a_complete_part_waits_for_one_that_still_comes(start_server: Callable[..., Server]) -> None:
    server = start_server()
    done, coming = part(server, b"abc"), part(server, b"def", send=1)
    created = join(server, done, coming)
    server.kill()
    # Given a part that would have expired alone, and one whose bytes still come
    age(server.data, 90_000, "state = 'finished'")
    server.start()
    assert server.offset(done) == 3
    # When that one is given up by its client / Then nothing waits any more
    server.kill()
    age(server.data, 90_000)
    server.start()
    server.kill()
    server.start()
    asset = created.headers["rushes-asset"]
    assert (server.asset(asset)["state"], server.asset(asset)["reason"]["code"]) == ("failed", "upload_part_gone")
    assert [server.stored(url) for url in (done, coming, created.headers["location"])] == [-1, -1, -1]


def test_whoever_completes_the_last_part_completes_the_whole(server: Server) -> None:
    """Also where several parts end in the same moment, and nobody asks afterwards."""
    assets = []
    for _ in range(8 if server.bucket else 25):  # Swift is slow, and whoever is last is found out by the catalog
        urls = [part(server, b"abcdef", send=0) for _ in range(3)]
        assets.append(join(server, *urls).headers["rushes-asset"])
        threads = [threading.Thread(target=server.patch, args=(url, 0, b"abcdef")) for url in urls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for asset in assets:
        wait_for(lambda asset=asset: is_ingested(server, asset), f"asset {asset}")
        assert server.source_sha(asset) == sha(b"abcdef" * 3)
