"""Lengths that come later, checksums before and behind the body, and bodies that wait to be asked for (tus 1.0.0)."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import threading
from collections.abc import Callable

import google_crc32c
import httpx
import pytest

from rushes.clock import pause
from tests.integration.ingest.conftest import PATCH, TUS, Server
from tests.integration.ingest.wire import Answer, Wire, chunk

STREAM = {"Content-Type": "application/offset+octet-stream"}
CHUNKED = {"Transfer-Encoding": "chunked"}
WRONG = base64.b64encode(bytes(20)).decode()
ALGORITHMS: dict[str, Callable[[bytes], bytes]] = {
    "sha1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "sha256": lambda data: hashlib.sha256(data).digest(),
    "md5": lambda data: hashlib.md5(data, usedforsecurity=False).digest(),
    "crc32c": lambda data: google_crc32c.value(data).to_bytes(4, "big"),
}


@pytest.fixture(scope="module")
def server(shared_server: Server) -> Server:
    """Nothing here breaks it, so one is enough."""
    return shared_server


def checksum(data: bytes, algorithm: str = "sha1") -> dict[str, str]:
    return {"Upload-Checksum": f"{algorithm} {base64.b64encode(ALGORITHMS[algorithm](data)).decode()}"}


def code(answer: httpx.Response | Answer) -> str:
    body = answer.content if isinstance(answer, httpx.Response) else answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    return str(json.loads(body)["code"])


def deferred(server: Server, **headers: str) -> httpx.Response:
    answer = httpx.post(f"{server.url}/files", headers={**TUS, "Upload-Defer-Length": "1", **headers})
    assert answer.status_code == 201, answer.text
    return answer


# -- creation-defer-length --------------------------------------------------------------------------------------------


def test_a_length_that_comes_with_the_last_bytes(server: Server) -> None:
    # Given an upload without a length
    created = deferred(server)
    url = created.headers["location"]
    head = server.head(url)
    assert (head.headers["upload-defer-length"], head.headers["upload-offset"]) == ("1", "0")
    assert "upload-length" not in head.headers
    # When bytes come / Then it stays open
    assert server.patch(url, 0, b"abc").headers["upload-offset"] == "3"
    assert server.head(url).headers["upload-defer-length"] == "1"
    # When the length comes with the rest / Then it is complete
    assert server.patch(url, 3, b"def", **{"Upload-Length": "6"}).status_code == 204
    head = server.head(url)
    assert (head.headers["upload-length"], head.headers["upload-offset"]) == ("6", "6")
    assert "upload-defer-length" not in head.headers
    assert server.source_sha(created.headers["rushes-asset"]) == hashlib.sha256(b"abcdef").hexdigest()


def test_a_length_that_comes_first_and_one_that_comes_by_itself(server: Server) -> None:
    early, late = deferred(server), deferred(server)
    url = early.headers["location"]
    assert server.patch(url, 0, b"ab", **{"Upload-Length": "4"}).status_code == 204
    assert server.head(url).headers["upload-length"] == "4"
    assert server.patch(url, 2, b"cd").status_code == 204
    assert server.asset(early.headers["rushes-asset"])["state"] == "ingested"
    # A length that is what is there already completes an upload without a byte
    url = late.headers["location"]
    server.patch(url, 0, b"abcd")
    assert server.patch(url, 4, b"", **{"Upload-Length": "4"}).status_code == 204
    assert server.asset(late.headers["rushes-asset"])["state"] == "ingested"
    assert server.source_sha(late.headers["rushes-asset"]) == hashlib.sha256(b"abcd").hexdigest()


def test_a_large_upload_whose_length_comes_last(server: Server) -> None:
    data = random.Random(1).randbytes(17 * 2**20 + 3)
    created = deferred(server)
    url = created.headers["location"]
    cut = 9 * 2**20 + 1
    assert server.patch(url, 0, data[:cut]).status_code == 204
    assert server.patch(url, cut, data[cut:], **{"Upload-Length": str(len(data))}).status_code == 204
    assert server.source_sha(created.headers["rushes-asset"]) == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("length", ["5", "2", "7"])
def test_a_length_that_was_said_stays(server: Server, length: str) -> None:
    url = deferred(server).headers["location"]
    server.patch(url, 0, b"abc", **{"Upload-Length": "6"})
    answer = server.patch(url, 3, b"d", **{"Upload-Length": length})
    assert (answer.status_code, code(answer)) == (400, "length_mismatch")
    assert (server.offset(url), server.head(url).headers["upload-length"]) == (3, "6")
    assert server.patch(url, 3, b"def", **{"Upload-Length": "6"}).status_code == 204


def test_a_length_below_what_is_there_is_refused_and_not_kept(server: Server) -> None:
    url = deferred(server).headers["location"]
    server.patch(url, 0, b"abc")
    answer = server.patch(url, 3, b"", **{"Upload-Length": "2"})
    assert (answer.status_code, code(answer)) == (400, "length_mismatch")
    assert server.head(url).headers["upload-defer-length"] == "1"


def test_a_length_at_a_wrong_offset_is_not_kept(server: Server) -> None:
    url = deferred(server).headers["location"]
    answer = server.patch(url, 1, b"a", **{"Upload-Length": "2"})
    assert (answer.status_code, code(answer), answer.headers["upload-offset"]) == (409, "offset_mismatch", "0")
    assert server.head(url).headers["upload-defer-length"] == "1"


def test_an_upload_without_a_length_has_its_limit(start_server: Callable[..., Server]) -> None:
    server = start_server(settings={"upload_max_bytes": 1000})
    url = deferred(server).headers["location"]
    for headers in ({}, {"Upload-Length": "1001"}):
        answer = server.patch(url, 0, b"x" * 1001, **headers)
        assert (answer.status_code, code(answer)) == (413, "over_limit_bytes")
        assert answer.headers["tus-max-size"] == "1000"
    answer = httpx.patch(url, content=iter([b"x" * 600, b"y" * 600]), headers={**PATCH, "Upload-Offset": "0"})
    assert (answer.status_code, code(answer)) == (413, "over_limit_bytes")
    assert server.offset(url) == 0
    assert server.patch(url, 0, b"x" * 1000, **{"Upload-Length": "1000"}).status_code == 204


def test_bytes_may_come_with_a_creation_without_a_length(server: Server) -> None:
    answer = httpx.post(f"{server.url}/files", content=b"abc", headers={**TUS, **STREAM, "Upload-Defer-Length": "1"})
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, "3")
    assert server.patch(answer.headers["location"], 3, b"d", **{"Upload-Length": "4"}).status_code == 204
    assert server.source_sha(answer.headers["rushes-asset"]) == hashlib.sha256(b"abcd").hexdigest()


# -- checksum ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_bytes_with_their_checksum_are_kept(server: Server, algorithm: str) -> None:
    url = server.create(6)
    assert server.patch(url, 0, b"abc", **checksum(b"abc", algorithm)).headers["upload-offset"] == "3"
    assert server.patch(url, 3, b"def", **checksum(b"def", algorithm)).status_code == 204
    assert server.offset(url) == 6


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_bytes_with_another_checksum_are_discarded_and_the_offset_stays(server: Server, algorithm: str) -> None:
    url = server.create(6)
    server.patch(url, 0, b"abc")
    answer = server.patch(url, 3, b"def", **checksum(b"other", algorithm))
    assert (answer.status_code, code(answer)) == (460, "checksum_mismatch")
    assert answer.headers["tus-resumable"] == "1.0.0"
    assert server.offset(url) == server.stored(url) == 3
    done = server.patch(url, 3, b"def", **checksum(b"def", algorithm))
    assert done.status_code == 204
    assert server.source_sha(done.headers["rushes-asset"]) == hashlib.sha256(b"abcdef").hexdigest()


def test_large_bodies_with_checksums_right_and_wrong(server: Server) -> None:
    data = random.Random(2).randbytes(12 * 2**20 + 5)
    url = server.create(len(data))
    half = 7 * 2**20
    assert server.patch(url, 0, data[half:], **checksum(data[:half])).status_code == 460
    assert server.offset(url) == 0
    assert server.patch(url, 0, data[:half], **checksum(data[:half], "sha256")).status_code == 204
    assert server.patch(url, half, data[half:], **checksum(data[:half])).status_code == 460
    assert server.offset(url) == half
    done = server.patch(url, half, data[half:], **checksum(data[half:], "crc32c"))
    assert server.source_sha(done.headers["rushes-asset"]) == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("sha512 " + WRONG, "checksum_unsupported"),
        ("SHA1 " + WRONG, "checksum_unsupported"),
        ("", "checksum_unsupported"),
        ("sha1", "bad_header"),
        ("sha1 not-base64!", "bad_header"),
        ("sha1 YWJj", "bad_header"),
    ],
)
def test_a_checksum_that_cannot_be_used_is_400_and_changes_nothing(server: Server, value: str, reason: str) -> None:
    url = server.create(3)
    answer = server.patch(url, 0, b"abc", **{"Upload-Checksum": value})
    assert (answer.status_code, code(answer)) == (400, reason)
    assert server.offset(url) == 0
    created = httpx.post(
        f"{server.url}/files", content=b"abc", headers={**TUS, **STREAM, "Upload-Length": "3", "Upload-Checksum": value}
    )
    assert (created.status_code, code(created)) == (400, reason)
    assert "location" not in created.headers


def test_a_checksum_at_the_creation(server: Server) -> None:
    def create(headers: dict[str, str]) -> httpx.Response:
        given = {**TUS, **STREAM, "Upload-Length": "5", **headers}
        return httpx.post(f"{server.url}/files", content=b"abc", headers=given)

    answer = create(checksum(b"abc"))
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, "3")
    # A wrong one undoes the creation: the client, which has no address, begins again
    before = server.stored_ids()
    answer = create(checksum(b"xyz"))
    assert (answer.status_code, code(answer)) == (460, "checksum_mismatch")
    assert "location" not in answer.headers
    assert server.stored_ids() == before


def test_an_empty_body_has_a_checksum_too(server: Server) -> None:
    url = server.create(3)
    assert server.patch(url, 0, b"", **checksum(b"")).status_code == 204
    assert server.patch(url, 0, b"", **checksum(b"x")).status_code == 460


def test_a_body_that_breaks_off_cannot_be_proven_and_is_discarded(server: Server) -> None:
    data = random.Random(3).randbytes(3 * 2**20)
    url = server.create(len(data))
    with Wire(server.url) as wire:
        headers = {**PATCH, "Upload-Offset": "0", "Content-Length": str(len(data)), **checksum(data)}
        wire.request("PATCH", url, headers, data[: 2 * 2**20])
    assert server.offset(url) == 0
    # While a body without a checksum is kept as far as it came
    assert server.patch(url, 0, data[:-1]).status_code == 204
    done = server.patch(url, len(data) - 1, data[-1:], **checksum(data[-1:]))
    assert server.source_sha(done.headers["rushes-asset"]) == hashlib.sha256(data).hexdigest()


# -- checksum-trailer -------------------------------------------------------------------------------------------------


def with_trailer(server: Server, url: str, data: bytes, trailer: str, *, at_once: bool = False) -> Answer:
    with Wire(server.url) as wire:
        headers = {**PATCH, **CHUNKED, "Upload-Offset": str(server.offset(url)), "Trailer": "Upload-Checksum"}
        behind = b"0\r\n" + (f"Upload-Checksum: {trailer}\r\n".encode() if trailer else b"") + b"\r\n"
        half = len(data) // 2
        if at_once:
            wire.request("PATCH", url, headers, chunk(data) + behind)
        else:
            wire.request("PATCH", url, headers, chunk(data[:half]))
            wire.send(chunk(data[half:]))
            wire.send(behind)
        return wire.answer()


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_checksum_behind_the_body(server: Server, algorithm: str, at_once: bool) -> None:
    url = server.create(6)
    right, wrong = (checksum(data, algorithm)["Upload-Checksum"] for data in (b"abcdef", b"xyz"))
    refused = with_trailer(server, url, b"abcdef", wrong, at_once=at_once)
    assert (refused.status, code(refused)) == (460, "checksum_mismatch")
    assert server.offset(url) == 0
    done = with_trailer(server, url, b"abcdef", right, at_once=at_once)
    assert (done.status, done.offset) == (204, 6)
    assert server.source_sha(done.headers["rushes-asset"]) == hashlib.sha256(b"abcdef").hexdigest()


@pytest.mark.parametrize(
    ("trailer", "reason"),
    [("", "checksum_missing"), ("sha512 YWJj", "checksum_unsupported"), ("sha1 YWJj", "bad_header")],
)
def test_a_trailer_that_was_announced_has_to_come(server: Server, trailer: str, reason: str) -> None:
    url = server.create(6)
    answer = with_trailer(server, url, b"abcdef", trailer)
    assert (answer.status, code(answer)) == (400, reason)
    assert server.offset(url) == 0


def test_a_trailer_that_was_not_announced_is_not_taken_for_a_header(server: Server) -> None:
    url = server.create(4)
    with Wire(server.url) as wire:
        wire.request("PATCH", url, {**PATCH, **CHUNKED, "Upload-Offset": "0"}, chunk(b"ab"))
        wire.send(b"0\r\nUpload-Length: 2\r\nX-Test-Tenant: other\r\n\r\n")
        assert wire.answer().offset == 2
    assert server.offset(url) == 2


# -- Expect: 100-continue ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Upload-Length": str(10**15)}, 413),
        ({"Upload-Length": "-1"}, 400),
        ({"Upload-Length": "2000", "Tus-Resumable": "0.2.2"}, 412),
        ({"Upload-Length": "2000", "Content-Type": "video/mp4"}, 415),
        ({"Upload-Length": "2000", "Upload-Metadata": "a b c"}, 400),
        ({"Upload-Length": "2000", "Upload-Checksum": "crc64 YQ=="}, 400),
    ],
)
def test_a_creation_that_is_refused_is_so_before_its_body_is_asked_for(
    server: Server, headers: dict[str, str], status: int
) -> None:
    with Wire(server.url) as wire:
        given = {**TUS, **STREAM, "Content-Length": "1000", "Expect": "100-continue", **headers}
        wire.request("POST", "/files", given)
        answer, interim = wire.final()
        assert (answer.status, interim) == (status, [])
        # What comes next could be the body or another request: nobody can tell, so there is no next
        assert answer.headers["connection"] == "close"
        assert wire.is_closed()


def test_a_creation_that_is_accepted_asks_for_its_body(server: Server) -> None:
    with Wire(server.url) as wire:
        wire.request(
            "POST",
            "/files",
            {**TUS, **STREAM, "Upload-Length": "3", "Content-Length": "3", "Expect": "100-continue"},
        )
        assert wire.answer().status == 100
        wire.send(b"abc")
        created = wire.answer()
    assert (created.status, created.offset) == (201, 3)
    assert server.source_sha(created.headers["rushes-asset"]) == hashlib.sha256(b"abc").hexdigest()


def test_an_append_that_is_refused_is_so_before_its_body_is_asked_for(server: Server) -> None:
    url = server.create(1000)
    with Wire(server.url) as wire:
        wire.request("PATCH", url, {**PATCH, "Upload-Offset": "7", "Content-Length": "1000", "Expect": "100-continue"})
        answer, interim = wire.final()
    assert (answer.status, answer.headers["upload-offset"], interim) == (409, "0", [])


# -- two at once ------------------------------------------------------------------------------------------------------


def test_contention_is_423_also_for_checksums_and_lengths(start_server: Callable[..., Server]) -> None:
    # Given a client that sends, little by little
    server = start_server(stalled=0.5)
    url = deferred(server).headers["location"]
    answers: list[httpx.Response] = []

    def others() -> None:
        for headers in ({}, checksum(b"b"), checksum(b"x"), {"Upload-Length": "10"}):
            answers.append(server.patch(url, 500, b"b", **headers))

    with Wire(server.url) as wire:
        wire.request("PATCH", url, {**PATCH, **CHUNKED, "Upload-Offset": "0"}, chunk(b"a" * 500))
        thread = threading.Thread(target=others)
        thread.start()
        sent = 500
        # When others come, whatever they bring
        while thread.is_alive():
            wire.send(chunk(b"a"))
            sent += 1
            pause(0.01)
        wire.send(b"0\r\n\r\n")
        assert wire.answer().offset == sent
    # Then they are told to wait, and nothing of theirs is kept
    assert [(answer.status_code, code(answer)) for answer in answers] == [(423, "upload_locked")] * 4
    assert all(answer.headers["retry-after"] for answer in answers)
    head = server.head(url)
    assert (head.headers["upload-defer-length"], head.headers["upload-offset"]) == ("1", str(sent))
