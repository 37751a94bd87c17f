"""Where one request ends and the next one begins, on raw sockets: nothing that is inside a body is ever a request."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.integration.ingest.conftest import Server
from tests.integration.ingest.wire import Answer, Wire, chunk

STREAM = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}
UPGRADES = [
    {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA"},
    {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "AAAA", "Sec-WebSocket-Version": "13"},
    {"Connection": "keep-alive, Upgrade", "Upgrade": "TLS/1.3"},
]  # fmt: skip
CHUNKED = {"Transfer-Encoding": "chunked"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("framing") / "data", {}).start()
    yield started
    started.kill()


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    with Wire(server.url) as connection:
        yield connection


@dataclass(frozen=True)
class Append:
    """A PATCH to an upload of its own."""

    url: str

    def begin(self, wire: Wire, framing: dict[str, str], body: bytes = b"") -> None:
        wire.request("PATCH", self.url, {**STREAM, "Upload-Offset": "0", **framing}, body)


@pytest.fixture
def append(server: Server) -> Append:
    return Append(server.create(1000))


def length(body: bytes) -> dict[str, str]:
    return {"Content-Length": str(len(body))}


def delete(url: str) -> bytes:
    return f"DELETE {url} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\n\r\n".encode()


def code(answer: Answer) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = json.loads(answer.body)
    assert problem["status"] == answer.status
    return str(problem["code"])


# -- Upgrade ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("upgrade", UPGRADES)
def test_the_body_of_a_request_for_an_upgrade_is_its_body(
    server: Server, wire: Wire, append: Append, upgrade: dict[str, str]
):
    victim = server.create(10)
    body = delete(victim) * 3
    append.begin(wire, {**length(body), **upgrade}, body)
    assert (wire.answer().status, server.offset(append.url)) == (204, len(body))
    assert server.offset(victim) == 0
    wire.request("HEAD", append.url, {"Tus-Resumable": "1.0.0"})
    assert wire.answer(bodiless=True).offset == len(body), "the connection goes on behind it"


@pytest.mark.parametrize("upgrade", UPGRADES)
@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_nor_is_a_body_that_comes_later_a_request(
    server: Server, wire: Wire, append: Append, upgrade: dict[str, str], framing: str
):
    victim = server.create(10)
    body = delete(victim)
    append.begin(wire, {**(length(body) if framing == "length" else CHUNKED), **upgrade, "Expect": "100-continue"})
    assert wire.answer().status == 100
    for at in range(0, len(body), 40):
        piece = body[at : at + 40]
        wire.send(piece if framing == "length" else chunk(piece))
    if framing == "chunks":
        wire.send(b"0\r\n\r\n")
    assert wire.answer().offset == len(body)
    assert (server.offset(append.url), server.offset(victim)) == (len(body), 0)


def test_an_upload_that_asks_for_an_upgrade_is_complete_only_with_its_bytes(server: Server, wire: Wire):
    head = {"Upload-Draft-Interop-Version": "8", "Upload-Complete": "?1", "Content-Type": "video/mp4", **UPGRADES[0]}
    wire.request("POST", f"{server.url}/files", {**head, **CHUNKED}, chunk(b"hello") + chunk(b"world") + b"0\r\n\r\n")
    answer, _ = wire.final()
    assert (answer.status, answer.offset) == (201, 10)
    assert server.head(answer.headers["location"]).headers["upload-length"] == "10"


@pytest.mark.parametrize("upgrade", UPGRADES)
def test_a_page_is_served_to_whoever_would_rather_have_another_protocol(wire: Wire, upgrade: dict[str, str]):
    for _ in range(2):
        wire.request("GET", "/v1/assets", upgrade)
        assert wire.answer().status == 200


def test_pipelined_requests_for_upgrades_are_answered_in_order(server: Server, wire: Wire):
    urls = [server.create(100 + size) for size in range(4)]
    for size, url in enumerate(urls):
        Append(url).begin(wire, {**length(b"x" * size), **UPGRADES[size % 3]}, b"x" * size)
    assert [wire.answer().offset for _ in urls] == [0, 1, 2, 3]


def test_a_head_that_comes_byte_by_byte_may_ask_for_an_upgrade(server: Server, wire: Wire, append: Append):
    wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    lines = [f"{name}: {value}" for name, value in {**STREAM, "Upload-Offset": "0", **UPGRADES[0]}.items()]
    head = "\r\n".join([f"PATCH {append.url} HTTP/1.1", "Host: x", *lines, "Content-Length: 5"])
    for byte in f"{head}\r\n\r\nhello".encode():
        wire.send(bytes([byte]))
    assert wire.answer().offset == 5


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("framing", "status", "expected"),
    [
        ({"Transfer-Encoding": "gzip, chunked"}, 501, "transfer_coding_unsupported"),
        ({"Transfer-Encoding": "identity"}, 501, "transfer_coding_unsupported"),
        ({"Transfer-Encoding": "chunked", "transfer-encoding": "chunked"}, 400, "request_malformed"),
        ({"Content-Length": "4", "Transfer-Encoding": "chunked"}, 400, "request_malformed"),
        ({"Host": "another", "Content-Length": "4"}, 400, "bad_host"),
        ({"Content-Length": "4", "content-length": "5"}, 400, "request_malformed"),
    ],
)
@pytest.mark.parametrize("upgrade", [{}, UPGRADES[0]])
def test_a_request_whose_end_is_doubtful_is_refused_and_nothing_is_kept(
    server: Server, wire: Wire, append: Append, framing: dict[str, str], status: int, expected: str,
    upgrade: dict[str, str],
):  # fmt: skip
    append.begin(wire, {**framing, **upgrade}, chunk(b"abcd") + b"0\r\n\r\n" + delete(append.url))
    answer = wire.answer()
    assert (answer.status, answer.headers["connection"], code(answer)) == (status, "close", expected)
    assert wire.is_closed()
    assert server.offset(append.url) == 0


@pytest.mark.parametrize(
    "host", ["", "Host: x/../y\r\n", 'Host: x"><script>\r\n', "Host: a\r\nHost: a\r\n", "Host: a b\r\n"]
)
def test_a_request_names_one_host(wire: Wire, host: str):
    wire.send(f"GET /v1/assets HTTP/1.1\r\n{host}\r\n".encode())
    answer = wire.answer()
    assert (answer.status, code(answer)) == (400, "bad_host")
    assert wire.is_closed()


@pytest.mark.parametrize(
    "head", ["1.0\r\n", "1.1\r\nHost:\r\n", "1.1\r\nHost: [::1]:8000\r\n", "1.1\r\nHost: my_app:80\r\n"]
)
def test_some_have_unusual_hosts_or_none(wire: Wire, head: str):
    wire.send(f"GET /v1/assets HTTP/{head}\r\n".encode())
    assert wire.answer().status == 200


def test_no_tunnel_is_opened(wire: Wire):
    wire.send(b"CONNECT elsewhere:443 HTTP/1.1\r\nHost: elsewhere:443\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = wire.answer()
    assert (answer.status, code(answer), wire.is_closed()) == (501, "method_unsupported", True)


def test_a_refused_client_that_goes_on_sending_still_gets_its_answer(wire: Wire, append: Append):
    append.begin(wire, {"Transfer-Encoding": "gzip, chunked"})
    for _ in range(64):
        wire.send(chunk(b"x" * 65536))
    assert wire.answer().status == 501


# -- what is behind a request -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [4, 300_000])
def test_garbage_behind_a_request_does_not_take_its_answer(server: Server, wire: Wire, size: int):
    Append(server.create(size + 1)).begin(wire, length(b"x" * size), b"x" * size + b"garbage\r\n\r\n")
    answers = [wire.answer(), wire.answer()]
    assert [answer.status for answer in answers] == [204, 400]
    assert (answers[0].offset, code(answers[1]), wire.is_closed()) == (size, "request_malformed", True)


def test_a_refusal_waits_for_all_requests_before_it(server: Server, wire: Wire):
    urls = [server.create(100) for _ in range(3)]
    for url in urls[:2]:
        Append(url).begin(wire, length(b"abcd"), b"abcd")
    Append(urls[2]).begin(wire, {"Transfer-Encoding": "gzip"}, delete(urls[0]))
    assert [wire.answer().status for _ in range(3)] == [204, 204, 501]
    assert [server.offset(url) for url in urls] == [4, 4, 0]


def test_so_does_the_refusal_of_a_body_that_breaks(server: Server, wire: Wire):
    first, second = server.create(100), server.create(100)
    heads = [
        f"PATCH {url} HTTP/1.1\r\nHost: x\r\n{framing}\r\nUpload-Offset: 0\r\n"
        + "".join(f"{name}: {value}\r\n" for name, value in STREAM.items())
        for url, framing in ((first, "Content-Length: 4"), (second, "Transfer-Encoding: chunked"))
    ]
    wire.send(f"{heads[0]}\r\nabcd{heads[1]}\r\n4\r\nabcdX".encode())
    assert [wire.answer().status, wire.answer().status] == [204, 400]
    assert wire.is_closed()


def test_a_body_that_breaks_off_is_refused_at_once_and_what_came_is_kept(server: Server, wire: Wire, append: Append):
    append.begin(wire, CHUNKED, chunk(b"abcd") + b"no chunk\r\n")
    answer = wire.answer()
    assert (answer.status, code(answer), wire.is_closed()) == (400, "request_malformed", True)
    assert server.offset(append.url) == 4
