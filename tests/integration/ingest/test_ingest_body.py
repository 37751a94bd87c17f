"""What body.py needs of uvicorn's internals, on raw sockets. If one of these fails after an update, uvicorn changed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from rushes.clock import pause
from rushes.ingest import body
from rushes.ingest.body import LARGEST, SMALL, Body, BodyProtocol, body_of, small_body
from tests.integration.ingest.wire import Wire, chunk

BIG = os.urandom(5 * LARGEST + 12345)


class Application:
    """Answers with what it got of a body, and how. The path says what it does."""

    def __init__(self) -> None:
        self.left: dict[str, Any] = {}
        self.done = threading.Event()
        self.go_on = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        found = body_of(request)
        assert isinstance(found, Body)
        handler = {
            "/refuse": self._refuse,
            "/give-up": self._give_up,
            "/asgi": self._asgi,
            "/wait": self._wait,
            "/small": self._small,
        }
        seen = await handler.get(scope["path"], self._read)(request, found)
        data = json.dumps(seen).encode()
        headers = [(b"content-length", str(len(data)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": data})

    async def _read(self, _: Request, found: Body) -> dict[str, Any]:
        digest, sizes, whole = hashlib.sha256(), [], True
        try:
            async for piece in found:
                before = bytes(piece)
                await asyncio.sleep(0.002)  # the socket fills the next one meanwhile
                assert piece == before, "a piece changed while it was being dealt with"
                digest.update(piece)
                sizes.append(len(piece))
        except ClientDisconnect:
            whole = False
        self.left = {"sha": digest.hexdigest(), "size": sum(sizes), "pieces": len(sizes), "whole": whole}
        self.done.set()
        return self.left

    async def _wait(self, request: Request, found: Body) -> dict[str, Any]:
        while not self.go_on.is_set():
            await asyncio.sleep(0.01)
        return await self._read(request, found)

    @staticmethod
    async def _refuse(_: Request, __: Body) -> str:
        return "refused"

    async def _give_up(self, _: Request, found: Body) -> dict[str, Any]:
        """Takes one piece, and asks later what came until then."""
        first = bytes(await anext(found))
        self.done.set()
        while not self.go_on.is_set():
            await asyncio.sleep(0.01)
        rest = b"".join(found.rest())
        return {"size": len(first + rest), "sha": hashlib.sha256(first + rest).hexdigest(), "heard": found.heard}

    async def _small(self, request: Request, _: Body) -> dict[str, Any]:
        """Asks for all of it at once, and reads it otherwise."""
        whole = await small_body(request)
        if whole is not None:
            return {"at once": True, "size": len(whole), "sha": hashlib.sha256(whole).hexdigest()}
        pieces = [bytes(piece) async for piece in body_of(request)]
        return {"at once": False, "size": sum(map(len, pieces)), "sha": hashlib.sha256(b"".join(pieces)).hexdigest()}

    @staticmethod
    async def _asgi(request: Request, _: Body) -> dict[str, Any]:
        data = await request.body()
        return {"size": len(data), "sha": hashlib.sha256(data).hexdigest()}


@pytest.fixture(scope="module")
def served() -> Application:
    return Application()


@pytest.fixture
def application(served: Application) -> Application:
    served.done.clear()
    served.go_on.clear()
    return served


@pytest.fixture(scope="module")
def url(served: Application) -> Iterator[str]:
    config = uvicorn.Config(served, port=0, log_config=None, lifespan="off", http=BodyProtocol)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        pause(0.01)
    (listening,) = server.servers
    yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def length(data: bytes) -> dict[str, str]:
    return {"Content-Length": str(len(data))}


def seen(wire: Wire) -> Any:
    answer, _ = wire.final()
    assert answer.status == 200
    return json.loads(answer.body)


@pytest.mark.parametrize("size", [0, 1, 100, 65536, 300_000, LARGEST, len(BIG)])
def test_every_byte_comes_in_order(url: str, application: Application, size: int) -> None:
    with Wire(url) as wire:
        wire.request("PATCH", "/", length(BIG[:size]), BIG[:size])
        got = seen(wire)
    assert (got["size"], got["sha"], got["whole"]) == (size, sha(BIG[:size]), True)


def test_a_large_body_comes_in_few_pieces(url: str, application: Application) -> None:
    with Wire(url) as wire:
        wire.request("PATCH", "/", length(BIG), BIG)
        assert seen(wire)["pieces"] < 40


def test_requests_follow_each_other_on_one_connection(url: str, application: Application) -> None:
    with Wire(url) as wire:
        for size in (LARGEST, 10, len(BIG), 0, 70_000):
            wire.request("PATCH", "/", length(BIG[:size]), BIG[:size])
            assert seen(wire)["sha"] == sha(BIG[:size])


def test_a_request_may_ride_behind_the_last_byte_of_another(url: str, application: Application) -> None:
    with Wire(url) as wire:
        wire.request("PATCH", "/", length(BIG), BIG[:LARGEST])
        wire.send(
            BIG[LARGEST:]
            + b"GET / HTTP/1.1\r\nHost: a\r\n\r\nPATCH / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
        )
        assert [seen(wire)["sha"] for _ in range(3)] == [sha(BIG), sha(b""), sha(b"abc")]


def test_chunks_come_through_the_parser(url: str, application: Application) -> None:
    with Wire(url) as wire:
        wire.request("PATCH", "/", {"Transfer-Encoding": "chunked"})
        for at in range(0, len(BIG), 100_000):
            wire.send(chunk(BIG[at : at + 100_000]))
        wire.send(b"0\r\n\r\n")
        got = seen(wire)
        assert (got["sha"], got["whole"]) == (sha(BIG), True)
        assert got["pieces"] < 60
        wire.request("PATCH", "/", length(b"abc"), b"abc")
        assert seen(wire)["sha"] == sha(b"abc")


def test_a_client_that_waits_for_leave_gets_it_once_the_body_is_wanted(url: str, application: Application) -> None:
    with Wire(url) as wire:
        wire.request("PATCH", "/wait", {**length(BIG), "Expect": "100-continue"})
        application.go_on.set()
        assert wire.answer().status == 100
        wire.send(BIG)
        assert seen(wire)["sha"] == sha(BIG)


@pytest.mark.parametrize("sent", [1, 50_000, 3 * LARGEST + 7])
def test_what_came_before_the_client_left_is_there(url: str, application: Application, sent: int) -> None:
    wire = Wire(url)
    wire.request("PATCH", "/", length(BIG), BIG[:sent])
    wire.close()
    assert application.done.wait(20)
    assert application.left | {"pieces": 0} == {"sha": sha(BIG[:sent]), "size": sent, "pieces": 0, "whole": False}


def test_what_came_before_anybody_read_is_there_though_the_client_has_left(url: str, application: Application) -> None:
    wire = Wire(url)
    wire.request("PATCH", "/wait", length(BIG), BIG[:50_000])
    wire.close()
    pause(0.7)
    application.go_on.set()
    assert application.done.wait(20)
    assert (application.left["size"], application.left["whole"]) == (50_000, False)


def test_bytes_that_fill_no_buffer_are_handed_on_after_a_while(url: str, application: Application) -> None:
    with Wire(url) as wire:
        wire.request("PATCH", "/", length(b"abcdef"), b"ab")
        pause(body.TICK + 0.7)
        wire.send(b"cd")
        pause(body.TICK + 0.7)
        wire.send(b"ef")
        assert seen(wire)["pieces"] == 3


def test_what_nobody_asked_for_can_still_be_had_and_the_rest_is_dropped(url: str, application: Application) -> None:
    with Wire(url) as wire:
        before = time.monotonic()
        wire.request("PATCH", "/give-up", length(BIG), BIG[:1000])
        assert application.done.wait(20)
        wire.send(BIG[1000:3000])
        pause(0.7)
        application.go_on.set()
        got = seen(wire)
        assert (got["size"], got["sha"]) == (3000, sha(BIG[:3000]))
        assert before <= got["heard"] <= time.monotonic()
        # And the connection serves the next request once the body is over
        wire.send(BIG[3000:])
        wire.request("PATCH", "/", length(b"abc"), b"abc")
        assert seen(wire)["sha"] == sha(b"abc")


def test_a_body_that_nobody_wants_is_dropped(url: str, application: Application) -> None:
    with Wire(url) as wire:
        wire.request("PATCH", "/refuse", length(BIG), BIG)
        assert seen(wire) == "refused"
        wire.request("PATCH", "/", length(b"abc"), b"abc")
        assert seen(wire)["sha"] == sha(b"abc")


def test_whoever_does_not_ask_gets_the_body_as_asgi_has_it(url: str, application: Application) -> None:
    with Wire(url) as wire:
        for _ in range(2):
            wire.request("POST", "/asgi", length(BIG), BIG)
            assert seen(wire)["sha"] == sha(BIG)


def test_a_server_that_is_told_to_end_ends_the_bodies(application: Application) -> None:
    config = uvicorn.Config(application, port=0, log_config=None, lifespan="off", http=BodyProtocol)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        pause(0.01)
    (listening,) = server.servers
    with Wire(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}") as wire:
        wire.request("PATCH", "/", length(BIG), BIG[:100_000])
        pause(0.7)
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()
    assert application.left["sha"] == sha(BIG[:100_000])
    assert not application.left["whole"]


@pytest.mark.parametrize("size", [0, 1, 10_000, SMALL])
def test_a_small_body_comes_at_once_and_the_next_request_after_it(
    url: str, application: Application, size: int
) -> None:
    data = os.urandom(size)
    with Wire(url) as wire:
        for path in ("/small", "/", "/small"):
            wire.request("POST", path, length(data))
            for start in range(0, size, 7000):
                wire.send(data[start : start + 7000])
            found = seen(wire)
            assert (found["sha"], found["size"]) == (sha(data), size)
            assert found.get("at once", True)


def test_a_small_body_that_takes_its_time_is_read_as_any_other(
    url: str, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "AT_ONCE", 0.05)
    data = os.urandom(10_000)
    with Wire(url) as wire:
        wire.request("POST", "/small", length(data))
        wire.send(data[:4000])
        assert not application.done.wait(0.2)
        wire.send(data[4000:])
        assert seen(wire) == {"at once": False, "size": len(data), "sha": sha(data)}


def test_a_small_body_of_a_client_that_waits_for_leave_is_read_as_any_other(url: str, application: Application) -> None:
    with Wire(url) as wire:
        wire.request("POST", "/small", {"Content-Length": "4", "Expect": "100-continue"})
        assert wire.answer().status == 100
        wire.send(b"data")
        assert seen(wire) == {"at once": False, "size": 4, "sha": sha(b"data")}
