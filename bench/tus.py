"""A tus client that costs next to nothing: raw sockets and sendfile. A process of its own: `python -m bench.tus PORT ACTION JSON`.

Prints one line of JSON. It trusts its servers: an answer that is not the expected one ends it.
"""

from __future__ import annotations

import json
import os
import re
import select
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

TUS = "Tus-Resumable: 1.0.0\r\n"
HEAD_EVERY = 0.05
OCTETS = "Content-Type: application/offset+octet-stream\r\n"


class Connection:
    """One keep-alive connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def begin(self, method: str, path: str, headers: str) -> None:
        self.socket.sendall(f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n{TUS}{headers}\r\n".encode())

    def answer(self, expected: int, *, body: bool = True) -> dict[str, str]:
        """The headers, by lower-case names; a body is read and dropped."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = self.socket.recv(65536)
            if not piece:
                sys.exit(f"the server closed the connection after {data!r}")
            data += piece
        head, _, rest = data.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        if int(status.split()[1]) != expected:
            sys.exit(f"expected {expected}, got {data!r}")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if body:
            self._drop_body(headers, rest)
        return headers

    def _drop_body(self, headers: dict[str, str], rest: bytes) -> None:
        if headers.get("transfer-encoding") == "chunked":
            while not rest.endswith(b"0\r\n\r\n"):
                rest += self.socket.recv(65536)
        else:
            left = int(headers.get("content-length", 0)) - len(rest)
            while left > 0:
                left -= len(self.socket.recv(min(left, 65536)))

    def create(self, length: int) -> str:
        """The path of a new upload."""
        self.begin("POST", "/files", f"Upload-Length: {length}\r\nContent-Length: 0\r\n")
        return path_of(self.answer(201)["location"])

    def patch(self, path: str, file: Any, offset: int, size: int) -> None:
        self.begin("PATCH", path, f"{OCTETS}Upload-Offset: {offset}\r\nContent-Length: {size}\r\n")
        end = offset + size
        while offset < end:
            offset += os.sendfile(self.socket.fileno(), file.fileno(), offset, end - offset)
        self.answer(204)

    def head(self, path: str) -> int:
        self.begin("HEAD", path, "")
        return int(self.answer(200, body=False)["upload-offset"])


def path_of(location: str) -> str:
    return re.sub(r"^https?://[^/]*", "", location)


def upload(port: int, source: str, size: int, chunk: int) -> None:
    connection = Connection(port)
    path = connection.create(size)
    with Path(source).open("rb") as file:
        for offset in range(0, size, chunk):
            connection.patch(path, file, offset, min(chunk, size - offset))


def bulk(port: int, source: str, size: int, chunk: int, count: int) -> dict[str, float]:
    """`count` uploads of `size` bytes at once. Seconds from the first creation to the last answer."""
    start = time.perf_counter()
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(lambda _: upload(port, source, size, chunk), range(count)))
    return {"seconds": time.perf_counter() - start}


def small(port: int, count: int, size: int, connections: int) -> dict[str, float]:
    """Creations with upload, each the whole of a small file."""
    request = f"{OCTETS}Upload-Length: {size}\r\nContent-Length: {size}\r\n"
    body = os.urandom(size)

    def create(number: int) -> None:
        connection = Connection(port)
        for _ in range(number):
            connection.begin("POST", "/files", request)
            connection.socket.sendall(body)
            if connection.answer(201)["upload-offset"] != str(size):
                sys.exit("the small file was not taken whole")

    start = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(create, [count // connections] * connections))
    return {"seconds": time.perf_counter() - start}


def slow(port: int, count: int, piece: int, every: float, seconds: float) -> None:
    """`count` uploads that each send `piece` bytes every so many seconds, while others ask for offsets.

    Prints a line when all of them have been under way for a while, another after so many seconds more, and goes on until it
    reads one.
    """
    creating = Connection(port)
    idle = [creating.create(10**6) for _ in range(20)]
    length = 10**7
    connections = [Connection(port) for _ in range(count)]
    for connection in connections:
        path = connection.create(length)
        connection.begin("PATCH", path, f"{OCTETS}Upload-Offset: 0\r\nContent-Length: {length}\r\n")
    stop = threading.Event()
    sender = threading.Thread(target=_trickle, args=(connections, bytes(piece), every, stop), daemon=True)
    sender.start()
    time.sleep(seconds / 2)
    print(json.dumps({"steady": True}), flush=True)
    asking = Connection(port)  # only now: servers close connections that say nothing for some seconds
    waits = _timed(lambda number: asking.head(idle[number % len(idle)]), seconds)
    broken = [each for each in connections if select.select([each.socket], [], [], 0)[0]]
    print(json.dumps({"under_way": len(connections) - len(broken), "heads": waits}), flush=True)
    sys.stdin.readline()
    stop.set()
    sender.join()
    os._exit(0)  # closing a thousand sockets one by one is of no interest


def _trickle(connections: list[Connection], piece: bytes, every: float, stop: threading.Event) -> None:
    """Every connection its turn, evenly over the period."""
    start, number = time.perf_counter(), 0
    while not stop.is_set():
        with suppress(OSError):
            connections[number % len(connections)].socket.sendall(piece)
        number += 1
        ahead = start + number * every / len(connections) - time.perf_counter()
        if ahead > 0.001:
            time.sleep(ahead)


def _timed(ask: Callable[[int], object], seconds: float) -> list[float]:
    waits, number, end = [], 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        before = time.perf_counter()
        ask(number)
        waits.append(time.perf_counter() - before)
        number += 1
        time.sleep(HEAD_EVERY)
    return waits


ACTIONS: dict[str, Callable[..., Any]] = {"bulk": bulk, "small": small, "slow": slow}

if __name__ == "__main__":
    _port, action, options = int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
    print(json.dumps(ACTIONS[action](_port, **options)))
