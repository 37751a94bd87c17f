"""Bad input over real sockets: whatever one client sends, it hears a clear refusal, and the uploads of others go on."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conformance.session import STREAM, Target, Tus
from tests.conformance.wire import Broken, Connection
from tests.integration.ingest.conftest import TUS, Server

MIB = 2**20
MANY = 1000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("hostile") / "data", {}).start()
    yield started
    started.kill()


@pytest.fixture
def tus(server: Server) -> Tus:
    return Tus(Target(f"{server.url}/files", patience=5.0))


@pytest.fixture
def victim(server: Server) -> Iterator[str]:
    """An upload of somebody else, under way. It has to be what it was."""
    url = server.create(10)
    assert server.patch(url, 0, b"hello").status_code == 204
    yield url
    assert server.offset(url) == 5
    assert server.patch(url, 5, b"world").status_code == 204
    whole = hashlib.sha256(b"helloworld").hexdigest()
    assert server.source_sha(server.head(url).headers["rushes-asset"]) == whole


def statuses(connection: Connection) -> list[int]:
    """Of all answers, until the server closes or has nothing more to say."""
    found = []
    with suppress(Broken):
        while True:
            found.append(connection.answer("POST").status)
    return found


# -- framing ----------------------------------------------------------------------------------------------------------

OWN = (
    "PATCH {own} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nContent-Type: application/offset+octet-stream\r\n"
    "Upload-Offset: 0\r\n"
)
THEIRS = (
    "PATCH {victim} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nContent-Type: application/offset+octet-stream\r\n"
    "Upload-Offset: 5\r\nContent-Length: 1\r\n\r\nX"
)
FRAMINGS = {
    "length and chunks": "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "two lengths": "Content-Length: 0\r\nContent-Length: 400\r\n\r\n",
    "a list of lengths": "Content-Length: 0, 400\r\n\r\n",
    "a signed length": "Content-Length: +0\r\n\r\n",
    "a negative length": "Content-Length: -1\r\n\r\n",
    "a length of letters": "Content-Length: 0x0\r\n\r\n",
    "a length beyond integers": "Content-Length: 99999999999999999999999999\r\n\r\n",
    "an unknown coding": "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "two codings": "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a coding twice": "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "a space before the colon": "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a tab before the value": "Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "a bare line feed": "Transfer-Encoding: chunked\n\r\n0\r\n\r\n",
    "a zero in a value": "X-Y: a\0b\r\nContent-Length: 0\r\n\r\n",
    "a chunk beyond integers": "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffffff\r\n",
    "a signed chunk": "Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n",
    "a chunk with a prefix": "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
    "a chunk without its end": "Transfer-Encoding: chunked\r\n\r\n1\r\nab0\r\n\r\n",
}


@pytest.mark.parametrize("name", FRAMINGS)
def test_no_framing_smuggles_a_request_into_anothers_upload(server: Server, victim: str, name: str) -> None:
    own = server.create(100)
    head, rest = OWN.format(own=urlsplit(own).path), THEIRS.format(victim=urlsplit(victim).path)
    with Connection(server.url, patience=2.0) as connection:
        connection.send((head + FRAMINGS[name] + rest).encode("latin-1"))
        found = statuses(connection)
    assert len(found) <= 1, found
    expected = [501] if name == "an unknown coding" else range(400, 500)  # RFC 9112 section 6.1
    assert all(status in expected for status in found) or name.startswith("length and"), found
    assert server.offset(own) <= 1  # the byte before the break has arrived as one of ours


# -- fuzzing ----------------------------------------------------------------------------------------------------------

NAMES = [
    "Tus-Resumable", "Upload-Length", "Upload-Offset", "Upload-Metadata", "Upload-Defer-Length", "Upload-Concat",
    "Upload-Checksum", "X-HTTP-Method-Override", "Content-Type", "Content-Length", "Transfer-Encoding", "Expect",
    "Upload-Complete", "Upload-Incomplete", "Upload-Draft-Interop-Version", "Content-Digest", "Repr-Digest",
    "Want-Repr-Digest", "Content-Disposition", "Trailer", "X-Forwarded-Host", "X-Forwarded-Proto", "Authorization",
    "Origin", "Connection", "If-Match", "Range",
]  # fmt: skip
SENSE = ["1.0.0", "0", "5", "1", "?1", "?0", "8", "partial", "final;/files/a", "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
         STREAM, "application/partial-upload", "PATCH", "HEAD", "DELETE", "POST", "chunked", "100-continue", "close"]  # fmt: skip
TEXT = st.text(st.characters(min_codepoint=0, max_codepoint=255, exclude_characters="\r\n"), max_size=60)
VALUES = st.one_of(st.sampled_from(SENSE), TEXT, st.integers(-(2**70), 2**70).map(str))
HEADS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8)
METHODS = st.sampled_from(["POST", "PATCH", "HEAD", "DELETE", "PUT", "GET", "OPTIONS"])
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(method=METHODS, head=HEADS, at_upload=st.booleans(), body=st.binary(max_size=20))
def test_no_head_makes_a_server_error(
    server: Server, tus: Tus, method: str, head: dict[str, str], at_upload: bool, body: bytes
):
    url = server.create(5) if at_upload else f"{server.url}/files"
    fields = {"Tus-Resumable": "1.0.0", "Connection": "close", "Content-Length": str(len(body)), **head}
    with Connection(server.url, patience=0.5) as connection:
        connection.ask(method, url, fields, body)
        with suppress(Broken):  # it waits for more, or has been told too little of HTTP to answer
            answer = connection.answer(method)
            assert answer.status < 500, "\n".join(connection.log)
    assert tus.options().status == 204


@FUZZ
@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"POST /files HTTP/1.1\r\n", b"PATCH /files/a HTTP/1.1\r\nHost: x\r\n"]),
)
def test_no_bytes_make_a_server_error(server: Server, tus: Tus, data: bytes, begin: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.settimeout(2)
        with suppress(OSError):
            connection.sendall(begin + data + b"\r\n\r\n")
            connection.shutdown(socket.SHUT_WR)
            assert b" 500 " not in connection.recv(65536)[:20]
    assert tus.options().status == 204


# -- abandoned and slow -----------------------------------------------------------------------------------------------


def test_a_thousand_abandoned_uploads_disturb_nobody(server: Server, tus: Tus, victim: str) -> None:
    # Given a thousand uploads of which each has a few bytes, and then its client is gone
    def abandon(number: int) -> str:
        url = tus.create(MIB)
        tus.half(url, 0, b"%d" % number, MIB).close()
        return url

    with ThreadPoolExecutor(16) as pool:
        left = list(pool.map(abandon, range(MANY)))
    assert len(set(left)) == MANY
    # Then somebody else's goes through, and what was left can be asked for
    data = os.urandom(2 * MIB)
    url = server.create(len(data))
    assert server.patch(url, 0, data).status_code == 204
    assert {server.head(each).status_code for each in left[::100]} == {200}


def test_a_thousand_half_heads_disturb_nobody(server: Server, victim: str) -> None:
    # Given a thousand connections that never come to the end of their header
    held = []
    try:
        for _ in range(MANY):
            connection = socket.create_connection(("127.0.0.1", server.port), 5)
            connection.sendall(b"POST /files HTTP/1.1\r\nHost: x\r\nTus-Resum")
            held.append(connection)
        # Then others are served
        url = server.create(5)
        assert server.patch(url, 0, b"hello").status_code == 204
    finally:
        for connection in held:
            connection.close()


def test_a_thousand_silent_appends_disturb_nobody(server: Server, tus: Tus, victim: str) -> None:
    # Given a thousand appends that have sent a byte and then say nothing
    with ThreadPoolExecutor(16) as pool:
        held = list(pool.map(lambda _: tus.half(tus.create(1000), 0, b"x", 1000), range(MANY)))
    # Then others are served
    try:
        url = server.create(5)
        assert server.patch(url, 0, b"hello").status_code == 204
    finally:
        for connection in held:
            connection.close()


# -- names and sizes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "a\r\nSet-Cookie: x",
        "a\0b",
        "\u202egpj.mp4",
        "x" * 5000,
        "日本 🎬\n.mp4",
        "...",
        "con",
        "<b>",
    ],
)
def test_any_file_name_is_taken_and_made_harmless(server: Server, name: str) -> None:
    given_name = base64.b64encode(name.encode()).decode()
    answer = httpx.post(
        f"{server.url}/files", headers={**TUS, "Upload-Length": "5", "Upload-Metadata": f"filename {given_name}"}
    )
    assert answer.status_code == 201
    assert "set-cookie" not in answer.headers
    assert server.patch(answer.headers["location"], 0, b"hello").status_code == 204
    asset = server.asset(answer.headers["rushes-asset"])
    kept = (asset["title"] or "") + (asset["source"]["filename"] or "")
    assert not set(kept) & set("\r\n\0\u202e")
    assert "/" not in (asset["source"]["filename"] or "")


@pytest.mark.parametrize("size", [8_000, 64_000, 1_000_000])
def test_large_metadata_is_refused_and_nothing_is_made(server: Server, size: int) -> None:
    before = len(server.assets(**{"X-Test-Tenant": "large"}))
    headers = {**TUS, "Upload-Length": "5", "Upload-Metadata": f"blob {'QUJD' * (size // 4)}", "X-Test-Tenant": "large"}
    try:
        answer = httpx.post(f"{server.url}/files", headers=headers)
    except httpx.TransportError:  # the server may stop reading such a head
        pass
    else:
        assert answer.status_code in (201, 400, 413, 431)
        assert (answer.status_code == 201) == (len(server.assets(**{"X-Test-Tenant": "large"})) > before)
    assert server.create(5)
