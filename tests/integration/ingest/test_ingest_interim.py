"""What interim.py needs of uvicorn's internals, on raw sockets. If one of these fails after an update, uvicorn changed."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import uvicorn
from starlette.types import Message, Receive, Scope, Send

from rushes.ingest.interim import HEAD_MOST, INTERIM, TRAILERS, TRAILERS_MOST, Interim, InterimProtocol
from tests.integration.ingest.wire import SECONDS, Wire, chunk

LENGTH = {"Content-Length": "10"}
CHUNKED = {"Transfer-Encoding": "chunked"}


class Application:
    """Sends a 104 before the body and one after each piece, and answers with what it has seen."""

    def __init__(self) -> None:
        self.gone: list[bool] = []
        """What sending gave after the client had left."""
        self.cut: list[Message] = []
        """What came from a connection that ended."""
        self.left = threading.Event()
        self.go_on = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        handlers = {
            "/late": self._late,
            "/flood": self._flood,
            "/leave": self._leave,
            "/forge": self._forge,
            "/cut": self._cut,
            "/wait": self._wait,
        }
        seen = await handlers.get(scope["path"], self._echo)(scope, receive, send)
        if seen is not None:
            await _finish(send, {"seen": seen, "trailers": _text(scope["extensions"][TRAILERS])})

    @staticmethod
    async def _echo(scope: Scope, receive: Receive, _: Send) -> Any:
        interim: Interim = scope["extensions"][INTERIM]
        sent = [await interim.send({"Location": "/files/1"})]
        size, more = 0, True
        while more:
            message = await receive()
            size, more = size + len(message["body"]), message["more_body"]
            if message["body"]:
                sent.append(interim.send_now({"Upload-Offset": str(size)}))
        return {"size": size, "sent": all(sent), "headers": _text(scope["headers"])}

    async def _wait(self, _: Scope, __: Receive, ___: Send) -> Any:
        while not self.go_on.is_set():
            await asyncio.sleep(0.01)
        return "waited"

    @staticmethod
    async def _late(scope: Scope, _: Receive, send: Send) -> None:
        interim: Interim = scope["extensions"][INTERIM]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        late = await interim.send({}) or interim.send_now({})
        await send({"type": "http.response.body", "body": str(late).encode()})

    @staticmethod
    async def _flood(scope: Scope, _: Receive, __: Send) -> Any:
        interim: Interim = scope["extensions"][INTERIM]
        count = 0
        while interim.send_now({"X-Padding": "x" * 8000}):
            count += 1
        return {"count": count, "after": await interim.send({"X-Last": "1"})}

    async def _leave(self, scope: Scope, receive: Receive, _: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        interim: Interim = scope["extensions"][INTERIM]
        self.gone += [interim.send_now({}), await interim.send({})]
        self.left.set()

    async def _cut(self, scope: Scope, receive: Receive, _: Send) -> None:
        """Begins to read when the client has sent everything and left, and the server knows."""
        interim: Interim = scope["extensions"][INTERIM]
        while interim.is_open:
            await asyncio.sleep(0)
        await asyncio.sleep(0)  # it is closing now; with the next round of the loop it is lost
        self.cut = [await receive()]
        while self.cut[-1]["type"] != "http.disconnect":
            self.cut.append(await receive())
        self.left.set()

    @staticmethod
    async def _forge(scope: Scope, _: Receive, __: Send) -> Any:
        try:
            await scope["extensions"][INTERIM].send({"Location": "/\r\nSet-Cookie: a=b"})
        except ValueError:
            return "refused"
        return "sent"


def _text(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in pairs}


async def _finish(send: Send, content: Any) -> None:
    data = json.dumps(content).encode()
    headers = [(b"content-length", str(len(data)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": data})


@pytest.fixture(scope="module")
def served() -> Application:
    return Application()


@pytest.fixture
def application(served: Application) -> Application:
    served.left.clear()
    served.go_on.clear()
    return served


@pytest.fixture(scope="module")
def url(served: Application) -> Iterator[str]:
    with running(served, InterimProtocol) as found:
        yield found


class Hasty(InterimProtocol):
    head_seconds = 1.0


@pytest.fixture(scope="module")
def hasty_url(served: Application) -> Iterator[str]:
    """Does not wait long for headers."""
    with running(served, Hasty) as found:
        yield found


@contextmanager
def running(application: Application, protocol: type[InterimProtocol]) -> Iterator[str]:
    config = uvicorn.Config(application, port=0, log_config=None, lifespan="off", http=protocol)
    server, up = uvicorn.Server(config), threading.Event()
    startup = server.startup

    async def started(*arguments: Any, **options: Any) -> None:
        await startup(*arguments, **options)
        up.set()

    server.startup = started  # type: ignore[method-assign]
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    assert up.wait(SECONDS)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(SECONDS)


@pytest.fixture
def wire(url: str) -> Iterator[Wire]:
    with Wire(url) as connection:
        yield connection


def test_an_interim_response_comes_before_the_body_has_been_sent(wire: Wire):
    wire.request("POST", "/", LENGTH)
    first = wire.answer()
    assert (first.status, first.headers) == (104, {"location": "/files/1"})
    wire.send(b"0123456789")
    final, interim = wire.final()
    assert final.status == 200
    assert json.loads(final.body)["seen"]["size"] == 10
    assert interim[-1].offset == 10


def test_progress_comes_while_the_body_is_being_sent(wire: Wire):
    wire.request("POST", "/", LENGTH, b"01234")
    assert [wire.answer().status, wire.answer().offset] == [104, 5]
    wire.send(b"56789")
    assert wire.answer().offset == 10
    assert wire.answer().status == 200


def test_nothing_interim_is_sent_once_the_final_answer_has_begun(wire: Wire):
    wire.request("GET", "/late")
    assert wire.answer().body == b"False"
    wire.request("POST", "/", LENGTH, b"0123456789")
    assert wire.final()[0].status == 200


def test_a_connection_is_kept_after_interim_responses(wire: Wire):
    for _ in range(3):
        wire.request("POST", "/", LENGTH, b"0123456789")
        final, interim = wire.final()
        assert (final.status, interim[0].headers) == (200, {"location": "/files/1"})


def test_pipelined_requests_get_their_answers_in_order(wire: Wire):
    head = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n"
    wire.send(head % 3 + b"abc" + head % 4 + b"abcd" + head % 5 + b"abcde")
    found = [wire.final() for _ in range(3)]
    assert [json.loads(final.body)["seen"]["size"] for final, _ in found] == [3, 4, 5]
    assert [interim[0].headers for _, interim in found] == [{"location": "/files/1"}] * 3


def test_chunked_bodies_have_interim_responses_too(wire: Wire):
    wire.request("POST", "/", CHUNKED)
    assert wire.answer().status == 104
    wire.send(chunk(b"01234"))
    assert wire.answer().offset == 5
    wire.send(chunk(b"56789") + b"0\r\n\r\n")
    assert json.loads(wire.final()[0].body)["seen"]["size"] == 10


def test_100_continue_is_not_left_out(wire: Wire):
    wire.request("POST", "/", {**LENGTH, "Expect": "100-continue"})
    assert [wire.answer().status, wire.answer().status] == [104, 100]
    wire.send(b"0123456789")
    assert wire.final()[0].status == 200


def test_http_1_0_has_no_interim_responses(wire: Wire):
    wire.request("POST", "/", LENGTH, b"0123456789", version="1.0")
    final, interim = wire.final()
    assert (final.status, interim, json.loads(final.body)["seen"]["sent"]) == (200, [], False)


def test_what_a_client_does_not_read_does_not_pile_up(wire: Wire):
    wire.request("GET", "/flood")
    final, interim = wire.final()
    seen = json.loads(final.body)["seen"]
    assert seen["after"] is True, "it was not sent although the client read on"
    assert interim[-1].headers == {"x-last": "1"}
    assert len(interim) == seen["count"] + 1


def test_a_client_that_has_left_is_sent_nothing(url: str, application: Application):
    with Wire(url) as wire:
        wire.request("POST", "/leave", LENGTH, b"0123")
    assert application.left.wait(SECONDS)
    assert application.gone == [False, False]


@pytest.mark.parametrize(
    ("head", "body", "whole"),
    [(LENGTH, b"01234", False), (LENGTH, b"0123456789", True), (CHUNKED, chunk(b"01234") + b"0\r\n\r\n", True)],
)
def test_what_had_arrived_before_the_connection_ended_is_handed_over(
    url: str, application: Application, head: dict[str, str], body: bytes, whole: bool
):
    with Wire(url) as wire:
        wire.request("POST", "/cut", head, body)
    assert application.left.wait(SECONDS)
    data, last = application.cut[:-1], application.cut[-1]
    assert b"".join(message["body"] for message in data) == (b"01234" if len(body) < 10 or head is CHUNKED else body)
    assert data[-1]["more_body"] is not whole
    assert last == {"type": "http.disconnect"}


def test_headers_without_an_end_are_refused(wire: Wire):
    wire.send(b"POST / HTTP/1.1\r\nHost: here\r\n")
    with suppress(ConnectionError):  # it closes while we are still sending
        for _ in range(100):
            wire.send(b"X-Long: " + b"x" * (HEAD_MOST // 2) + b"\r\n")
    answers = []
    with suppress(ConnectionError):
        answers.append(wire.answer().status)
    assert answers in ([431], []), "a reset may overtake the answer"
    with pytest.raises(ConnectionError):
        wire.answer()


def test_headers_that_do_not_come_are_not_waited_for(hasty_url: str):
    with Wire(hasty_url) as wire:
        wire.request("POST", "/", LENGTH, b"0123456789")
        assert wire.final()[0].status == 200
        wire.send(b"POST / HTTP/1.1\r\nHost:")
        assert wire.answer().status == 408
        assert wire.is_closed()


def test_a_late_head_does_not_take_the_answer_before_it(hasty_url: str, application: Application):
    with Wire(hasty_url) as wire:
        wire.request("GET", "/wait", body=b"POST / HTTP/1.1\r\nHost:")
        with Wire(hasty_url) as clock:
            assert clock.is_closed(), "its headers did not come, so those before are late by now"
        application.go_on.set()
        assert [wire.answer().status, wire.answer().status] == [200, 408]
        assert wire.is_closed()


def test_a_connection_without_a_word_is_closed_without_one(hasty_url: str):
    with Wire(hasty_url) as wire:
        assert wire.is_closed()


def test_a_body_may_take_longer_than_the_headers(hasty_url: str):
    with Wire(hasty_url) as wire, Wire(hasty_url) as clock:
        wire.request("POST", "/", LENGTH)
        assert wire.answer().status == 104
        assert clock.is_closed(), "its headers did not come, so theirs would have been late by now"
        wire.send(b"0123456789")
        assert wire.final()[0].status == 200


def test_a_value_cannot_end_its_line(wire: Wire):
    wire.request("GET", "/forge")
    final, interim = wire.final()
    assert (json.loads(final.body)["seen"], interim) == ("refused", [])


def test_trailers_are_whole_when_the_body_ends_and_are_not_headers(wire: Wire):
    wire.request("POST", "/", CHUNKED, chunk(b"abc") + b"0\r\nUpload-Checksum: sha1 abc\r\nX-API-Key: forged\r\n\r\n")
    found = json.loads(wire.final()[0].body)
    assert found["trailers"] == {"upload-checksum": "sha1 abc", "x-api-key": "forged"}
    assert not {"upload-checksum", "x-api-key"} & set(found["seen"]["headers"])


def test_trailers_belong_to_their_request(wire: Wire):
    wire.request("POST", "/", CHUNKED, chunk(b"abc") + b"0\r\nX-One: 1\r\n\r\n")
    wire.request("POST", "/", {**CHUNKED, "X-Two": "2"}, chunk(b"abc") + b"0\r\n\r\n")
    first, second = (json.loads(wire.final()[0].body) for _ in range(2))
    assert (first["trailers"], second["trailers"]) == ({"x-one": "1"}, {})
    assert second["seen"]["headers"]["x-two"] == "2"


def test_endless_trailers_are_dropped(wire: Wire):
    many = b"".join(b"X-%d: %s\r\n" % (number, b"v" * 1000) for number in range(100))
    wire.request("POST", "/", CHUNKED, chunk(b"abc") + b"0\r\n" + many + b"\r\n")
    trailers = json.loads(wire.final()[0].body)["trailers"]
    assert 0 < sum(len(name) + len(value) for name, value in trailers.items()) <= TRAILERS_MOST
